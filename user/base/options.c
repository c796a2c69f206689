// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/display.h"
#include "base/duration.h"
#include "base/nearest.h"

#define MAX_OPTIONS 48 /* in one table */
#define LONG_BASE 256  /* getopt's value of option i is LONG_BASE + i, above all letters */
#define QUOTED_MAX 64  /* of what the user typed, repeated in a message */

struct parse {
	struct hs_args *args;
	const struct hs_operand *operand;
	struct option longs[MAX_OPTIONS + 1];
	char letters[2 * MAX_OPTIONS + 3];
	size_t options;
	bool negate;
	char *message;
	size_t size;
};

static int __attribute__((format(printf, 2, 3)))
complain(struct parse *parse, const char *format, ...)
{
	va_list list;
	int len = snprintf(parse->message, parse->size, "%s: ", parse->args->program);

	va_start(list, format);
	if (len >= 0 && (size_t)len < parse->size)
		vsnprintf(parse->message + len, parse->size - (size_t)len, format, list);
	va_end(list);
	return -EINVAL;
}

static bool takes_value(const struct hs_option *option)
{
	return option->kind != HS_OPTION_FLAG && option->kind != HS_OPTION_NOT;
}

/* ":" first: getopt tells a missing value from an unknown option. */
static void make_tables(struct parse *parse)
{
	const struct hs_option *option = parse->args->options;
	char *letter = parse->letters;

	*letter++ = ':';
	for (; option->name; option++, parse->options++) {
		assert(parse->options < MAX_OPTIONS);
		parse->longs[parse->options] = (struct option){
			.name = option->name,
			.has_arg = takes_value(option) ? required_argument : no_argument,
			.val = LONG_BASE + (int)parse->options,
		};
		if (option->letter) {
			*letter++ = option->letter;
			if (takes_value(option))
				*letter++ = ':';
		}
	}
}

static const struct hs_option *option_of(const struct parse *parse, int value)
{
	const struct hs_option *options = parse->args->options;

	if (value >= LONG_BASE)
		return &options[value - LONG_BASE];
	for (size_t i = 0; i < parse->options; i++) {
		if (value && options[i].letter == value)
			return &options[i];
	}
	return NULL;
}

static int unknown_long(struct parse *parse, const char *typed)
{
	const char *names[MAX_OPTIONS], *near;
	char clean[QUOTED_MAX];

	for (size_t i = 0; i < parse->options; i++)
		names[i] = parse->args->options[i].name;
	hs_display_clean(typed, clean, sizeof(clean));
	clean[strcspn(clean, "=")] = '\0';
	near = hs_nearest(clean, names, parse->options);
	if (near)
		return complain(parse, "unknown option --%s; did you mean --%s?", clean, near);
	return complain(parse, "unknown option --%s; see %s --help", clean, parse->args->program);
}

/* getopt answered '?': not an option, or a value where none is taken. */
static int unknown(struct parse *parse, char **argv)
{
	const struct hs_option *option = option_of(parse, optopt);
	char clean[QUOTED_MAX];

	if (option)
		return complain(parse, "--%s takes no value", option->name);
	if (!optopt)
		return unknown_long(parse, argv[optind - 1] + 2);
	hs_display_clean((char[]){ (char)optopt, '\0' }, clean, sizeof(clean));
	return complain(parse, "unknown option -%s; see %s --help", clean, parse->args->program);
}

/* "one of a, b, c". False: there are more than anybody wants to read. */
static bool list_choices(const char *const *choices, char *text, size_t size)
{
	size_t len = (size_t)snprintf(text, size, "one of");

	for (size_t i = 0; choices[i] && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s %s", i ? "," : "", choices[i]);
	return len < size;
}

/* "accept_queue_full or syn_queue_full": the one that was meant, and those that have the word in them. */
static void list_near(const char *const *choices, const char *word, char *text, size_t size)
{
	const char *near;
	size_t count = 0, len = 0;

	while (choices[count])
		count++;
	near = hs_nearest(word, choices, count);
	*text = '\0';
	for (size_t i = 0; i < count && len < size; i++) {
		if (choices[i] == near || (strlen(word) > 2 && strstr(choices[i], word)))
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " or " : "",
						choices[i]);
	}
}

/* Of a list that is too long to be shown. */
static int bad_choice(struct parse *parse, const struct hs_option *option, const char *clean)
{
	char near[256];

	list_near(option->choices, clean, near, sizeof(near));
	if (*near)
		return complain(parse, "--%s takes no \"%s\"; did you mean %s?", option->name, clean,
				near);
	return complain(parse, "--%s takes no \"%s\"; %s --help lists what it takes", option->name,
			clean, parse->args->program);
}

static int bad_value(struct parse *parse, const struct hs_option *option, const char *text,
		     const char *expected)
{
	char clean[QUOTED_MAX], choices[256];

	hs_display_clean(text, clean, sizeof(clean));
	if (option->choices && !list_choices(option->choices, choices, sizeof(choices)))
		return bad_choice(parse, option, clean);
	return complain(parse, "--%s takes %s, not \"%s\"", option->name,
			option->choices ? choices : expected, clean);
}

static int take_option(struct parse *parse, const struct hs_option *option, const char *text)
{
	const char *expected, *value = NULL;

	if (parse->negate && !option->filter)
		return complain(parse, "--not stands before a filter, and --%s is none",
				option->name);
	if (takes_value(option)) {
		value = hs_option_value(option, text, &expected);
		if (!value)
			return bad_value(parse, option, text, expected);
	}
	parse->args->values[parse->args->count++] =
		(struct hs_value){ option, value, parse->negate };
	parse->negate = option->kind == HS_OPTION_NOT;
	return 0;
}

static int parse_options(struct parse *parse, int argc, char **argv)
{
	int error = 0, found;

	optind = 0; /* glibc: begin anew, with another argv */
	opterr = 0;
	while (!error &&
	       (found = getopt_long(argc, argv, parse->letters, parse->longs, NULL)) != -1) {
		if (found == '?')
			error = unknown(parse, argv);
		else if (found == ':')
			error = complain(parse, "--%s needs a value",
					 option_of(parse, optopt)->name);
		else
			error = take_option(parse, option_of(parse, found), optarg);
	}
	if (!error && parse->negate)
		error = complain(parse, "--not stands before a filter, and nothing follows it");
	return error;
}

static int bad_operand(struct parse *parse, const char *text)
{
	const char *const *choices = parse->operand->choices;
	char clean[QUOTED_MAX], list[256];
	const char *near;
	size_t count = 0;

	while (choices[count])
		count++;
	hs_display_clean(text, clean, sizeof(clean));
	near = hs_nearest(clean, choices, count);
	if (near)
		return complain(parse, "unknown %s \"%s\"; did you mean %s?", parse->operand->name,
				clean, near);
	list_choices(choices, list, sizeof(list));
	return complain(parse, "%s is %s, not \"%s\"", parse->operand->name, list, clean);
}

static int take_operand(struct parse *parse, const char *text)
{
	const char *const *choices = parse->operand->choices;
	char clean[QUOTED_MAX];

	if (!parse->operand->name || parse->args->operand) {
		hs_display_clean(text, clean, sizeof(clean));
		return complain(parse, "unexpected argument \"%s\"; see %s --help", clean,
				parse->args->program);
	}
	while (choices && *choices && strcmp(*choices, text))
		choices++;
	if (choices && !*choices)
		return bad_operand(parse, text);
	parse->args->operand = text;
	return 0;
}

/* A cluster of flags ("-fw") is several values in one argument, but never more than its letters. */
static size_t most_values(int argc, char **argv)
{
	size_t most = 1;

	for (int i = 1; i < argc; i++)
		most += strlen(argv[i]);
	return most;
}

int hs_args_parse(struct hs_args *args, int argc, char **argv, const struct hs_operand *operand,
		  char *message, size_t size)
{
	struct parse parse = { args, operand, .message = message, .size = size };
	int error;

	args->count = 0;
	args->operand = NULL;
	args->values = calloc(most_values(argc, argv), sizeof(*args->values));
	if (!args->values)
		return complain(&parse, "out of memory");
	make_tables(&parse);
	error = parse_options(&parse, argc, argv);
	while (!error && optind < argc)
		error = take_operand(&parse, argv[optind++]);
	if (!error && operand->required && !args->operand && !hs_args_flag(args, "help"))
		error = complain(&parse, "%s is missing; see %s --help", operand->name,
				 args->program);
	return error;
}

void hs_args_free(struct hs_args *args)
{
	free(args->values);
	args->values = NULL;
	args->count = 0;
}

const struct hs_option *hs_option_find(const struct hs_option *options, const char *name)
{
	for (; options->name; options++) {
		if (!strcmp(options->name, name))
			return options;
	}
	return NULL;
}

static const struct hs_value *find_value(const struct hs_args *args, const char *name)
{
	for (size_t i = args->count; i-- > 0;) {
		if (!strcmp(args->values[i].option->name, name))
			return &args->values[i];
	}
	return NULL;
}

bool hs_args_given(const struct hs_args *args, const char *name)
{
	return find_value(args, name);
}

bool hs_args_flag(const struct hs_args *args, const char *name)
{
	return find_value(args, name);
}

const char *hs_args_text(const struct hs_args *args, const char *name)
{
	const struct hs_value *value = find_value(args, name);
	const struct hs_option *option = hs_option_find(args->options, name);

	return value ? value->text : option ? option->preset : NULL;
}

uint64_t hs_args_count(const struct hs_args *args, const char *name)
{
	const char *text = hs_args_text(args, name);

	return text ? strtoull(text, NULL, 10) : 0;
}

uint64_t hs_args_duration_ns(const struct hs_args *args, const char *name)
{
	const char *text = hs_args_text(args, name);
	uint64_t ns = 0;

	if (text)
		hs_duration_parse(text, &ns);
	return ns;
}
