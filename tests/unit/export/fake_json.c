/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/json.h"

json_t *parse(char *text)
{
	json_error_t error;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (!json)
		fail_msg("%s at %d in\n%.4000s", error.text, error.position, text);
	free(text);
	return json;
}

json_t *document(struct hs_model *model, const char *name)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(hs_json_document(out, name, fake_view(model)), 0);
	fclose(out);
	return parse(text);
}

json_t *at(json_t *json, const char *path)
{
	char copy[256], *rest = copy, *key;

	snprintf(copy, sizeof(copy), "%s", path);
	while (json && (key = strsep(&rest, ".")))
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) :
					     json_object_get(json, key);
	return json;
}

void assert_text(json_t *json, const char *path, const char *expected)
{
	const char *text = json_string_value(at(json, path));

	if (!text || strcmp(text, expected))
		fail_msg("%s is %s, not %s", path, text ? text : "no text", expected);
}

void assert_number(json_t *json, const char *path, double expected)
{
	double number = json_number_value(at(json, path));

	if (!json_is_number(at(json, path)) || fabs(number - expected) > 1e-12 * fabs(expected))
		fail_msg("%s is %.17g, not %.17g", path, number, expected);
}

void assert_absent(json_t *json, const char *path)
{
	if (at(json, path))
		fail_msg("%s is there", path);
}
