// SPDX-License-Identifier: GPL-2.0-or-later
/* --help, of the program and of each command, from the tables. */
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/screen.h"

#define HELP_COLUMN 26 /* where the explanation of an option begins */
#define HELP_WIDTH 80

/* Words of text from here to HELP_WIDTH, the next lines from HELP_COLUMN. */
static void put_wrapped(const char *text, size_t column)
{
	while (*text) {
		size_t len = strcspn(text, " ");

		if (column + 1 + len > HELP_WIDTH) {
			printf("\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			putchar(' ');
			column++;
		}
		printf("%.*s", (int)len, text);
		column += len;
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void describe_option(const struct hs_option *option, char *text, size_t size)
{
	size_t len = (size_t)snprintf(text, size, "%s", option->help);

	for (size_t i = 0; option->choices && option->choices[i] && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s %s", i ? "," : ":",
					option->choices[i]);
	if (option->preset && len < size)
		snprintf(text + len, size - len, " (default %s)", option->preset);
}

static void print_option(const struct hs_option *option)
{
	char left[64], help[1024], letter[8] = "    ";

	if (option->letter)
		snprintf(letter, sizeof(letter), "-%c, ", option->letter);
	snprintf(left, sizeof(left), "  %s--%s %s", letter, option->name,
		 option->value ? option->value : "");
	describe_option(option, help, sizeof(help));
	if (strlen(left) < HELP_COLUMN)
		printf("%-*s", HELP_COLUMN, left);
	else
		printf("%s\n%*s", left, HELP_COLUMN, "");
	put_wrapped(help, HELP_COLUMN);
}

static void print_examples(const struct hs_command *command)
{
	const struct hs_example *example = command->examples;

	printf("\nExamples:\n");
	for (; example->line; example++)
		printf("  # %s\n  hopscope %s\n", example->what, example->line);
}

void hs_help_command_print(const struct hs_command *command)
{
	const struct hs_option *option = command->options;
	const char *operand = command->operand.name;
	bool required = command->operand.required;

	printf("%s.\n", command->summary);
	if (command->details)
		printf("%s\n", command->details);
	print_examples(command);
	printf("\nUsage:\n  hopscope %s%s%s%s [options]\n", command->name,
	       !operand ? "" : required ? " " : " [", operand ? operand : "",
	       operand && !required ? "]" : "");
	if (!option->group)
		printf("\nOptions:\n");
	for (; option->name; option++) {
		if (option->group)
			printf("\n%s:\n", option->group);
		print_option(option);
	}
}

static void print_commands(FILE *out)
{
	for (size_t i = 0; hs_commands[i]; i++) {
		if (hs_commands[i]->group)
			fprintf(out, "\n%s:\n", hs_commands[i]->group);
		fprintf(out, "  %-13s%s\n", hs_commands[i]->name, hs_commands[i]->summary);
	}
}

static const char introduction[] =
	"See every TCP call between the processes of this node, live, without changing them.\n"
	"\nExamples:\n"
	"  # who calls whom, what fails first\n"
	"  hopscope graph --watch\n"
	"  # what failed in the last ten minutes, and why\n"
	"  hopscope explain --since 10m\n"
	"  # serve metrics and the API on 127.0.0.1:9464\n"
	"  hopscope agent\n"
	"\nUsage:\n"
	"  hopscope COMMAND [options]\n";

static const char ending[] =
	"\nOptions:\n"
	"  -h, --help     show this help\n"
	"      --version  show the version\n"
	"\n"
	"Commands ask the agent of this node. Where none runs, they load one for as long as\n"
	"they run, which takes root. `hopscope COMMAND --help` and man hopscope tell more.\n";

void hs_help_print(void)
{
	fputs(introduction, stdout);
	print_commands(stdout);
	fputs(ending, stdout);
}

void hs_help_brief(void)
{
	fprintf(stderr, "usage: hopscope COMMAND [options]\n");
	print_commands(stderr);
	fprintf(stderr, "\n`hopscope --help` tells more.\n");
}

static int run(const struct hs_args *args)
{
	if (args->operand)
		hs_help_command_print(hs_command_find(args->operand));
	else
		hs_help_print();
	return hs_output_end(HS_EXIT_OK);
}

/* The names of the table in commands.c: a test holds the two together. */
static const char *const topics[] = { "graph", "routes", "requests", "connections", "listeners", "observe",
				      "explain", "top",	      "check",	   "record",
				      "agent", "completion",  "help",	   NULL };

static const struct hs_option options[] = { HS_OPTION_HELP, { 0 } };

static const struct hs_example examples[] = {
	{ "help observe", "the same as hopscope observe --help" },
	{ NULL },
};

const struct hs_command hs_help_command = {
	.name = "help",
	.summary = "Show help for a command",
	.run = run,
	.options = options,
	.operand = { "COMMAND", false, topics, false },
	.examples = examples,
};
