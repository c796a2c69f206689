/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of the program. Each lives in a file of its own, which defines one struct hs_command;
 * commands.c lists them. Everything about the command line is in these tables: parsing, --help,
 * completion and the test of the manual pages read them.
 *
 * To write one: define `const struct hs_command hs_NAME_command` with a table of options, add it
 * to commands.c, describe it in docs/. run() finds its values by the name of the option:
 *
 *	static int run(const struct hs_args *args)
 *	{
 *		const char *path = hs_args_text(args, "config");   the preset, or NULL
 *		bool quiet = hs_args_flag(args, "quiet");
 *		uint64_t ns = hs_args_duration_ns(args, "duration"); 0 when not given
 *		const char *file = args->operand;                  "FILE" of the usage
 *
 * and returns an enum hs_exit. Options arrive checked (base/options.h).
 */
#ifndef HS_CMD_COMMAND_H
#define HS_CMD_COMMAND_H

#include "base/options.h"
#include "cmd/source.h"

/* Exit status: sysexits(3), and what a shell makes of SIGINT. */
enum hs_exit {
	HS_EXIT_OK = 0,
	HS_EXIT_FAILURE = 1,      /* the command's own "no": a hook is not attached */
	HS_EXIT_USAGE = 64,       /* the command line is wrong */
	HS_EXIT_DATA = 65,        /* an input file is */
	HS_EXIT_UNAVAILABLE = 69, /* no agent answers */
	HS_EXIT_SOFTWARE = 70,    /* out of memory and the like */
	HS_EXIT_IO = 74,          /* the output cannot be written */
	HS_EXIT_NOPERM = 77,      /* a permission is missing */
	HS_EXIT_FINDINGS = 79,    /* explain: something failed or hangs; sysexits end at 78 */
	HS_EXIT_INTERRUPTED = 130,
};

struct hs_example {
	const char *line; /* after "hopscope " */
	const char *what;
};

struct hs_command {
	const char *name;
	const char *group;   /* heading in `hopscope --help`, of this and the following commands */
	const char *summary; /* one line, begins with a verb */
	const char *details; /* some lines for --help, or NULL */
	int (*run)(const struct hs_args *args);
	const struct hs_option *options;     /* the last has no name; one is --help */
	struct hs_operand operand;
	const struct hs_example *examples;   /* the last has no line */
};

/* All commands in the order of `hopscope --help`; NULL ends the list. */
extern const struct hs_command *const hs_commands[];
const struct hs_command *hs_command_find(const char *name);

/* Options that many commands share; HELP ends every table with { 0 } behind it. */
#define HS_OPTION_HELP \
	{ .name = "help", .letter = 'h', .kind = HS_OPTION_FLAG, .help = "show this help" }

#define HS_OPTION_SOCKET                                                                           \
	{                                                                                          \
		.name = "socket", .kind = HS_OPTION_FILE, .value = "PATH", .group = "Source",      \
		.help = "ask the agent at this unix socket, " HS_DEFAULT_SOCKET " by default"      \
	}
#define HS_OPTION_INPUT                                                                            \
	{                                                                                          \
		.name = "input", .kind = HS_OPTION_FILE, .value = "FILE",                          \
		.help = "read a file that `hopscope record` made instead"                          \
	}
#define HS_OPTION_COLOR                                                                            \
	{                                                                                          \
		.name = "color", .kind = HS_OPTION_CHOICE, .value = "WHEN", .preset = "auto",      \
		.choices = hs_color_choices, .group = "Other", .help = "colour the output"         \
	}
#define HS_OPTION_NO_COLOR                                                                         \
	{ .name = "no-color", .kind = HS_OPTION_FLAG, .help = "same as --color=never" }

/* The end of every reading command's table. */
#define HS_READING_OPTIONS \
	HS_OPTION_SOCKET, HS_OPTION_INPUT, HS_OPTION_COLOR, HS_OPTION_NO_COLOR, HS_OPTION_HELP

extern const char *const hs_color_choices[];

extern const struct hs_command hs_graph_command;
extern const struct hs_command hs_routes_command;
extern const struct hs_command hs_requests_command;
extern const struct hs_command hs_connections_command;
extern const struct hs_command hs_listeners_command;
extern const struct hs_command hs_observe_command;
extern const struct hs_command hs_explain_command;
extern const struct hs_command hs_top_command;
extern const struct hs_command hs_check_command;
extern const struct hs_command hs_agent_command;
extern const struct hs_command hs_record_command;
extern const struct hs_command hs_completion_command;
extern const struct hs_command hs_help_command;

/* Implemented in agent.c and record.c; their tables are in daemon.c. */
int hs_cmd_agent(const struct hs_args *args);
int hs_cmd_record(const struct hs_args *args);

/* `hopscope help` and --help: of one command, or of all, to stdout; brief: the usage, to stderr. */
void hs_help_command_print(const struct hs_command *command);
void hs_help_print(void);
void hs_help_brief(void);

/*
 * Parses argv (its first is the command's name) and runs it. The status to exit with; what is
 * wrong has been said on stderr.
 */
int hs_command_run(const struct hs_command *command, int argc, char **argv);

/*
 * The index in argv of the command's name: options may stand before it, so their values must be
 * skipped. argc: there is none.
 */
int hs_command_index(int argc, char **argv);

#endif
