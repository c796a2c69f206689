// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/screen.h"

const char *const hs_color_choices[] = { "auto", "always", "never", NULL };

const struct hs_command *const hs_commands[] = {
	&hs_graph_command,
	&hs_routes_command,
	&hs_requests_command,
	&hs_connections_command,
	&hs_listeners_command,
	&hs_observe_command,
	&hs_explain_command,
	&hs_top_command,
	&hs_check_command,
	&hs_record_command,
	&hs_agent_command,
	&hs_completion_command,
	&hs_help_command,
	NULL,
};

const struct hs_command *hs_command_find(const char *name)
{
	for (size_t i = 0; hs_commands[i]; i++) {
		if (!strcmp(hs_commands[i]->name, name))
			return hs_commands[i];
	}
	return NULL;
}

/* The option that an argument names, in any command's table: a name means the same in all. */
static const struct hs_option *option_named(const char *argument)
{
	bool is_long = argument[1] == '-';

	for (size_t i = 0; hs_commands[i]; i++) {
		for (const struct hs_option *o = hs_commands[i]->options; o->name; o++) {
			if (is_long ? !strcmp(argument + 2, o->name) :
				      o->letter && argument[1] == o->letter && !argument[2])
				return o;
		}
	}
	return NULL;
}

int hs_command_index(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const struct hs_option *option;

		if (argv[i][0] != '-' || !argv[i][1])
			return i;
		option = option_named(argv[i]);
		if (option && option->kind != HS_OPTION_FLAG && option->kind != HS_OPTION_NOT)
			i++;
	}
	return argc;
}

int hs_command_run(const struct hs_command *command, int argc, char **argv)
{
	struct hs_args args = { .options = command->options };
	char program[64], message[512];
	int status = HS_EXIT_USAGE;

	snprintf(program, sizeof(program), "hopscope %s", command->name);
	args.program = program;
	if (hs_args_parse(&args, argc, argv, &command->operand, message, sizeof(message))) {
		fprintf(stderr, "%s\n", message);
	} else if (hs_args_flag(&args, "help")) {
		hs_help_command_print(command);
		status = hs_output_end(HS_EXIT_OK);
	} else {
		status = command->run(&args);
	}
	hs_args_free(&args);
	return status;
}
