// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope completion: scripts for shells, made from the tables of options. */
#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/screen.h"

static bool takes_value(const struct hs_option *option)
{
	return option->kind != HS_OPTION_FLAG && option->kind != HS_OPTION_NOT;
}

static void put_words(const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		printf("%s%s", i ? " " : "", words[i]);
}

static void put_command_names(const char *separator)
{
	for (size_t i = 0; hs_commands[i]; i++)
		printf("%s%s", i ? separator : "", hs_commands[i]->name);
}

/* bash: a case for every option that takes a value, then the options or operands. */

static void bash_value(const struct hs_option *option)
{
	if (!takes_value(option))
		return;
	printf("\t\t--%s%s%.1s)\n", option->name, option->letter ? "|-" : "",
	       option->letter ? &option->letter : "");
	if (option->choices) {
		printf("\t\t\tCOMPREPLY=($(compgen -W '");
		put_words(option->choices);
		printf("' -- \"$cur\")) ;;\n");
	} else if (option->kind == HS_OPTION_FILE) {
		printf("\t\t\tcompopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n");
	} else {
		printf("\t\t\tCOMPREPLY=() ;;\n");
	}
}

static void bash_words(const struct hs_command *command)
{
	printf("\t\t*) words='");
	for (const struct hs_option *o = command->options; o->name; o++)
		printf("--%s ", o->name);
	if (command->operand.choices)
		put_words(command->operand.choices);
	printf("'\n");
	if (command->operand.name && !command->operand.choices && !command->operand.plain)
		printf("\t\t\t[[ $cur == -* ]] || { compopt -o filenames; "
		       "COMPREPLY=($(compgen -f -- \"$cur\")); return; }\n");
	printf("\t\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n");
}

static void bash(void)
{
	printf("# bash completion for hopscope\n"
	       "_hopscope() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words i\n"
	       "\tlocal command=\n"
	       "\tif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	       "\tif [[ $cur == = ]]; then cur=; fi\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	       "\t\tcase ${COMP_WORDS[i]} in\n\t\t");
	put_command_names("|");
	printf(") command=${COMP_WORDS[i]}; break ;;\n\t\tesac\n\tdone\n"
	       "\tcase $command in\n");
	for (size_t i = 0; hs_commands[i]; i++) {
		printf("\t%s)\n\t\tcase $prev in\n", hs_commands[i]->name);
		for (const struct hs_option *o = hs_commands[i]->options; o->name; o++)
			bash_value(o);
		bash_words(hs_commands[i]);
		printf("\t\tesac ;;\n");
	}
	printf("\t*) COMPREPLY=($(compgen -W '");
	put_command_names(" ");
	printf(" --help --version' -- \"$cur\")) ;;\n\tesac\n}\ncomplete -F _hopscope hopscope\n");
}

/* zsh: _arguments specifications. Brackets, colons and quotes in them would end them. */

static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:\\", *text))
			putchar('\\');
		if (*text == '\'')
			fputs("'\\'", stdout);
		putchar(*text);
	}
}

static void zsh_value(const struct hs_option *option)
{
	printf(":%s:", option->value);
	if (option->choices) {
		putchar('(');
		put_words(option->choices);
		putchar(')');
	} else if (option->kind == HS_OPTION_FILE) {
		fputs("_files", stdout);
	}
}

static void zsh_spec(const struct hs_option *option, const char *name)
{
	/* '*' lets it come again. */
	printf(" \\\n\t\t\t\t'%s%s[", option->filter || option->kind == HS_OPTION_NOT ? "*" : "",
	       name);
	zsh_text(option->help);
	putchar(']');
	if (takes_value(option))
		zsh_value(option);
	putchar('\'');
}

static void zsh_command(const struct hs_command *command)
{
	char name[64];

	printf("\t\t\t%s) _arguments", command->name);
	for (const struct hs_option *o = command->options; o->name; o++) {
		snprintf(name, sizeof(name), "--%s%s", o->name, takes_value(o) ? "=" : "");
		zsh_spec(o, name);
		snprintf(name, sizeof(name), "-%c", o->letter);
		if (o->letter)
			zsh_spec(o, name);
	}
	if (command->operand.choices) {
		printf(" \\\n\t\t\t\t'1:%s:(", command->operand.name);
		put_words(command->operand.choices);
		printf(")'");
	} else if (command->operand.name) {
		printf(" \\\n\t\t\t\t'1:%s:%s'", command->operand.name,
		       command->operand.plain ? "" : "_files");
	}
	printf(" ;;\n");
}

static void zsh(void)
{
	printf("#compdef hopscope\n_hopscope() {\n\tlocal line state\n"
	       "\t_arguments -C '--help[show help]' '--version[show the version]' \\\n"
	       "\t\t'1:command:->command' '*::argument:->argument'\n"
	       "\tcase $state in\n\tcommand)\n\t\tlocal -a commands=(");
	for (size_t i = 0; hs_commands[i]; i++) {
		printf("\n\t\t\t'%s:", hs_commands[i]->name);
		zsh_text(hs_commands[i]->summary);
		putchar('\'');
	}
	printf("\n\t\t)\n\t\t_describe command commands ;;\n"
	       "\targument)\n\t\tcase $line[1] in\n");
	for (size_t i = 0; hs_commands[i]; i++)
		zsh_command(hs_commands[i]);
	printf("\t\tesac ;;\n\tesac\n}\n"
	       "if [ \"$funcstack[1]\" = _hopscope ]; then _hopscope\n"
	       "else compdef _hopscope hopscope; fi\n");
}

/* fish: a line for everything. */

static void fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (strchr("'\\", *text))
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void fish_option(const struct hs_command *command, const struct hs_option *option)
{
	printf("complete -c hopscope -n '__fish_seen_subcommand_from %s' -l %s", command->name,
	       option->name);
	if (option->letter)
		printf(" -s %c", option->letter);
	if (option->choices) {
		printf(" -x -a '");
		put_words(option->choices);
		printf("'");
	} else if (takes_value(option)) {
		printf(option->kind == HS_OPTION_FILE ? " -r -F" : " -x");
	}
	printf(" -d ");
	fish_text(option->help);
	putchar('\n');
}

static void fish_operand(const struct hs_command *command)
{
	if (!command->operand.name || command->operand.plain)
		return;
	printf("complete -c hopscope -n '__fish_seen_subcommand_from %s' ", command->name);
	if (command->operand.choices) {
		printf("-f -a '");
		put_words(command->operand.choices);
		printf("'\n");
	} else {
		printf("-F\n");
	}
}

static void fish(void)
{
	printf("# fish completion for hopscope\ncomplete -c hopscope -f\n"
	       "complete -c hopscope -n __fish_use_subcommand -l help -d 'show help'\n"
	       "complete -c hopscope -n __fish_use_subcommand -l version -d 'show the version'\n");
	for (size_t i = 0; hs_commands[i]; i++) {
		printf("complete -c hopscope -n __fish_use_subcommand -a %s -d ",
		       hs_commands[i]->name);
		fish_text(hs_commands[i]->summary);
		putchar('\n');
		for (const struct hs_option *o = hs_commands[i]->options; o->name; o++)
			fish_option(hs_commands[i], o);
		fish_operand(hs_commands[i]);
	}
}

static const char *const shells[] = { "bash", "zsh", "fish", NULL };
static void (*const writers[])(void) = { bash, zsh, fish };

static int run(const struct hs_args *args)
{
	for (size_t i = 0; shells[i]; i++) {
		if (!strcmp(shells[i], args->operand))
			writers[i]();
	}
	return hs_output_end(HS_EXIT_OK);
}

static const struct hs_option options[] = { HS_OPTION_HELP, { 0 } };

static const struct hs_example examples[] = {
	{ "completion bash > /usr/share/bash-completion/completions/hopscope",
	  "for all, in bash" },
	{ "completion zsh > /usr/local/share/zsh/site-functions/_hopscope", "for all, in zsh" },
	{ "completion fish > ~/.config/fish/completions/hopscope.fish", "for yourself, in fish" },
	{ NULL },
};

const struct hs_command hs_completion_command = {
	.name = "completion",
	.group = "Help",
	.summary = "Write a completion script for a shell",
	.run = run,
	.options = options,
	.operand = { "SHELL", true, shells, false },
	.examples = examples,
};
