// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables of commands: consistent with one another, and with the manual pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/screen.h"

/* A letter or a name may stand in front of the command: it must mean one thing. */
static void assert_same_meaning(const struct hs_option *a, const struct hs_option *b)
{
	bool same_name = !strcmp(a->name, b->name);

	if (a->letter && a->letter == b->letter && !same_name)
		fail_msg("-%c is --%s and --%s", a->letter, a->name, b->name);
	if (same_name && (a->letter != b->letter || a->kind != b->kind || a->filter != b->filter))
		fail_msg("--%s differs between commands", a->name);
}

static void an_option_means_the_same_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; hs_commands[i]; i++) {
		for (size_t j = i; hs_commands[j]; j++) {
			for (const struct hs_option *a = hs_commands[i]->options; a->name; a++) {
				for (const struct hs_option *b = hs_commands[j]->options; b->name;
				     b++)
					assert_same_meaning(a, b);
			}
		}
	}
}

static void check_option(const struct hs_command *command, const struct hs_option *option)
{
	bool takes = option->kind != HS_OPTION_FLAG && option->kind != HS_OPTION_NOT;
	const char *expected;

	if (takes != !!option->value || !option->help ||
	    (option->kind == HS_OPTION_CHOICE) != !!option->choices)
		fail_msg("%s --%s: the entry is not whole", command->name, option->name);
	if (option->preset && !hs_option_value(option, option->preset, &expected))
		fail_msg("%s --%s does not take its own preset", command->name, option->name);
	for (const struct hs_option *other = command->options; other != option; other++)
		assert_string_not_equal(other->name, option->name);
}

static void tables_are_whole(void **state)
{
	(void)state;
	for (size_t i = 0; hs_commands[i]; i++) {
		const struct hs_command *command = hs_commands[i];

		assert_non_null(command->summary);
		assert_non_null(command->run);
		if (strlen(command->summary) > 65) /* one line of --help */
			fail_msg("too long: %s", command->summary);
		assert_non_null(hs_option_find(command->options, "help"));
		assert_non_null(command->examples[0].line);
		for (const struct hs_option *o = command->options; o->name; o++)
			check_option(command, o);
	}
}

/* The words of an example up to a pipe or a redirection. */
static void assert_parses(const char *line)
{
	static char copy[256];
	char *argv[32], *rest = copy, *word, message[256];
	const struct hs_command *command;
	struct hs_args args;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, " ")) && *word != '|' && *word != '>')
		argv[argc++] = word;
	command = hs_command_find(argv[0]);
	if (!command)
		fail_msg("no command: %s", line);
	args = (struct hs_args){ .program = argv[0], .options = command->options };
	if (hs_args_parse(&args, argc, argv, &command->operand, message, sizeof(message)))
		fail_msg("%s: %s", line, message);
	hs_args_free(&args);
}

static void examples_parse(void **state)
{
	(void)state;
	for (size_t i = 0; hs_commands[i]; i++) {
		const struct hs_example *example = hs_commands[i]->examples;

		for (; example->line; example++)
			assert_parses(example->line);
	}
}

static void help_knows_all_commands(void **state)
{
	const char *const *topics = hs_command_find("help")->operand.choices;
	size_t i = 0;

	(void)state;
	for (; hs_commands[i]; i++)
		assert_string_equal(topics[i], hs_commands[i]->name);
	assert_null(topics[i]);
	assert_null(hs_command_find("grpah"));
}

static int index_of(const char *line)
{
	static char copy[256];
	char *argv[16], *rest = copy, *word;
	int argc = 0, at;

	snprintf(copy, sizeof(copy), "%s", line);
	while ((word = strsep(&rest, " ")))
		argv[argc++] = word;
	at = hs_command_index(argc, argv);
	return at == argc ? -1 : at;
}

static void options_may_stand_before_the_command(void **state)
{
	(void)state;
	assert_int_equal(index_of("hopscope graph"), 1);
	assert_int_equal(index_of("hopscope -o json graph"), 3);
	assert_int_equal(index_of("hopscope -ojson graph"), 2);
	assert_int_equal(index_of("hopscope --socket=/x --watch graph"), 3);
	assert_int_equal(index_of("hopscope --socket /x graph --name y"), 3);
	assert_int_equal(index_of("hopscope --not --name graph observe"), 4);
	assert_int_equal(index_of("hopscope --help"), -1);
	assert_int_equal(index_of("hopscope -h"), -1);
	assert_int_equal(index_of("hopscope --socket"), -1);
}

static char *read_manual(const char *name)
{
	const char *root = getenv("HS_TEST_DOCS");
	char path[256], *text = NULL;
	size_t size = 0;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", root ? root : "docs", name);
	in = fopen(path, "r");
	if (!in)
		fail_msg("%s cannot be read", path);
	assert_true(getdelim(&text, &size, '\0', in) > 0);
	fclose(in);
	return text;
}

/* mdoc: ".It Fl o , Fl -output Ar FORMAT", ".It Fl -watch". */
static bool mentions_option(const char *manual, const struct hs_option *option)
{
	char macro[64];
	size_t len = (size_t)snprintf(macro, sizeof(macro), "Fl -%s", option->name);

	for (const char *at = strstr(manual, macro); at; at = strstr(at + 1, macro)) {
		if (strchr(" \n", at[len]))
			return true;
	}
	return false;
}

/* Where the next section or subsection begins, or NULL. */
static const char *next_heading(const char *text)
{
	const char *section = strstr(text, "\n.Sh "), *subsection = strstr(text, "\n.Ss ");

	return section && (!subsection || section < subsection) ? section : subsection;
}

/* The section of a command, from its heading to the next. */
static char *section_of(const char *manual, const struct hs_command *command)
{
	char heading[64];
	const char *start, *end;

	snprintf(heading, sizeof(heading), "\n.Ss hopscope %s", command->name);
	start = strstr(manual, heading);
	if (!start) {
		fail_msg("the manual has no section \"hopscope %s\"", command->name);
		return NULL;
	}
	end = next_heading(start + strlen(heading));
	return end ? strndup(start, (size_t)(end - start)) : strdup(start);
}

static void assert_described(const struct hs_command *command, const char *manual,
			     const char *common)
{
	for (const struct hs_option *o = command->options; o->name; o++) {
		if (!mentions_option(manual, o) && !mentions_option(common, o))
			fail_msg("the manual of %s lacks --%s", command->name, o->name);
	}
}

static void the_manual_has_every_option(void **state)
{
	char *manual = read_manual("hopscope.1"), *agent = read_manual("hopscope-agent.8");
	const char *common = strstr(manual, "\n.Ss Options of all"), *end;
	char *shared;

	(void)state;
	assert_non_null(common);
	end = next_heading(common + 4);
	shared = strndup(common, (size_t)(end - common));
	for (size_t i = 0; hs_commands[i]; i++) {
		if (!strcmp(hs_commands[i]->name, "agent")) {
			assert_described(hs_commands[i], agent, "");
		} else {
			char *section = section_of(manual, hs_commands[i]);

			assert_described(hs_commands[i], section, shared);
			free(section);
		}
	}
	free(shared);
	free(manual);
	free(agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_option_means_the_same_everywhere),
		cmocka_unit_test(tables_are_whole),
		cmocka_unit_test(examples_parse),
		cmocka_unit_test(help_knows_all_commands),
		cmocka_unit_test(options_may_stand_before_the_command),
		cmocka_unit_test(the_manual_has_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
