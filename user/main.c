// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/display.h"
#include "base/nearest.h"
#include "cmd/command.h"
#include "cmd/screen.h"
#include "export/build.h"

static int bad_word(const char *what, const char *word, const char *near)
{
	if (near)
		hs_complain("hopscope: unknown %s %s; did you mean %s?", what, word, near);
	else
		hs_complain("hopscope: unknown %s %s; see hopscope --help", what, word);
	return HS_EXIT_USAGE;
}

/* No command on the command line: the program's own options. */
static int run_program(const char *word)
{
	static const char *const options[] = { "--help", "--version" };

	if (!strcmp(word, "--version")) {
		printf("hopscope %s\n", HS_VERSION);
	} else if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		hs_help_print();
	} else {
		return bad_word("option", word, hs_nearest(word, options, 2));
	}
	return hs_output_end(HS_EXIT_OK);
}

static int unknown_command(const char *word)
{
	const char *names[32];
	size_t count = 0;

	for (; hs_commands[count]; count++)
		names[count] = hs_commands[count]->name;
	return bad_word("command", word, hs_nearest(word, names, count));
}

int main(int argc, char **argv)
{
	const struct hs_command *command;
	int at;

	signal(SIGPIPE, SIG_IGN); /* a reader that has gone is an error of write(), see screen.c */
	hs_display_init();
	if (argc < 2) {
		hs_help_brief();
		return HS_EXIT_USAGE;
	}
	at = hs_command_index(argc, argv);
	if (at == argc)
		return run_program(argv[1]);
	command = hs_command_find(argv[at]);
	if (!command)
		return unknown_command(argv[at]);
	/* Options may stand before the command: let it find them behind its name. */
	memmove(argv + 2, argv + 1, (size_t)(at - 1) * sizeof(*argv));
	argv[1] = (char *)command->name;
	return hs_command_run(command, argc - 1, argv + 1);
}
