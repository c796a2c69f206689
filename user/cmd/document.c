// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/document.h"

#include <stdio.h>
#include <string.h>

const json_t *hs_doc_at(const json_t *json, const char *path)
{
	char key[64];

	for (;;) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		json = json_object_get(json, key); /* NULL of what is no object */
		if (!path[len])
			return json;
		path += len + 1;
	}
}

const char *hs_doc_text(const json_t *json, const char *path)
{
	const char *text = json_string_value(hs_doc_at(json, path));

	return text ? text : "";
}

bool hs_doc_has_number(const json_t *json, const char *path, double *number)
{
	const json_t *value = hs_doc_at(json, path);

	if (!json_is_number(value))
		return false;
	*number = json_number_value(value);
	return true;
}

double hs_doc_number(const json_t *json, const char *path)
{
	return json_number_value(hs_doc_at(json, path));
}

bool hs_doc_true(const json_t *json, const char *path)
{
	return json_is_true(hs_doc_at(json, path));
}

/* RFC 3986, 3.2.2: an IPv6 address before a port stands in brackets. */
static void join_port(const char *host, const json_t *end, char label[HS_LABEL_LEN])
{
	bool brackets = strchr(host, ':');

	snprintf(label, HS_LABEL_LEN, "%s%.*s%s:%u", brackets ? "[" : "", HS_LABEL_LEN - 16, host,
		 brackets ? "]" : "", (unsigned)hs_doc_number(end, "port"));
}

void hs_doc_label(const json_t *end, bool port, char label[HS_LABEL_LEN])
{
	const char *name = hs_doc_text(end, "name");

	if (!*name)
		name = *hs_doc_text(end, "address") ? hs_doc_text(end, "address") : "?";
	if (port && hs_doc_number(end, "port") > 0)
		join_port(name, end, label);
	else
		snprintf(label, HS_LABEL_LEN, "%.*s", HS_LABEL_LEN - 16, name);
}

void hs_doc_address(const json_t *end, char label[HS_LABEL_LEN])
{
	const char *address = hs_doc_text(end, "address");

	if (*address)
		join_port(address, end, label);
	else
		*label = '\0';
}
