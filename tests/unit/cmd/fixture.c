// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *path_of(const char *folder, const char *name)
{
	static char path[512];
	const char *root = getenv("HS_TEST_DATA");

	snprintf(path, sizeof(path), "%s/%s%s", root ? root : "tests/data/api", folder, name);
	return path;
}

json_t *fixture_load(const char *name)
{
	json_error_t error;
	json_t *document = json_load_file(path_of("", name), 0, &error);

	if (!document)
		fail_msg("%s:%d: %s", path_of("", name), error.line, error.text);
	return document;
}

const char *fixture_line(const char *name, size_t number)
{
	static char line[4096];
	FILE *in = fopen(path_of("", name), "r");
	bool found = true;

	assert_non_null(in);
	for (size_t i = 0; found && i <= number; i++)
		found = fgets(line, sizeof(line), in);
	fclose(in);
	line[strcspn(line, "\n")] = '\0';
	return found ? line : NULL;
}

void fixture_args(struct hs_args *args, const struct hs_command *command, const char *line)
{
	static char copy[512];
	char *argv[32] = { (char *)command->name }, *rest = copy, *word, message[256];
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	while (*line && (word = strsep(&rest, " ")))
		argv[argc++] = word;
	*args = (struct hs_args){ .program = "hopscope", .options = command->options };
	if (hs_args_parse(args, argc, argv, &command->operand, message, sizeof(message)))
		fail_msg("%s", message);
}

static char *read_whole(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!in)
		return NULL;
	if (getdelim(&text, &size, '\0', in) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(in);
	return text;
}

static void write_whole(const char *path, const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

void fixture_expect(const char *name, const char *text)
{
	const char *path = path_of("expected/", name);
	char *want;

	if (getenv("HS_UPDATE")) {
		write_whole(path, text);
		return;
	}
	want = read_whole(path);
	if (!want)
		fail_msg("%s cannot be read", path);
	if (strcmp(want, text) != 0)
		fail_msg("%s differs.\nExpected:\n%s\nFound:\n%s", path, want, text);
	free(want);
}
