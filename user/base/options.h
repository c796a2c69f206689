/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command-line options as tables: parsing, --help and the completion of shells read the same
 * entries, so they cannot disagree.
 */
#ifndef HS_BASE_OPTIONS_H
#define HS_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hs_option_kind {
	HS_OPTION_FLAG, /* no value; all others take one */
	HS_OPTION_NOT,  /* no value: the filter that follows excludes */
	HS_OPTION_TEXT,
	HS_OPTION_FILE, /* a path: shells complete it */
	HS_OPTION_CHOICE,
	HS_OPTION_COUNT,    /* a whole number */
	HS_OPTION_PORT,     /* 1 to 65535 */
	HS_OPTION_DURATION, /* base/duration.h */
	HS_OPTION_SINCE,    /* a duration, or a time in RFC 3339 */
	HS_OPTION_NETWORK,  /* base/network.h */
	HS_OPTION_LISTEN,   /* ADDRESS:PORT */
	HS_OPTION_KINDS,
};

struct hs_option {
	const char *name; /* without dashes; NULL ends a table */
	char letter;      /* 0: long form only */
	enum hs_option_kind kind;
	bool filter;      /* may be repeated (any of them), and may follow --not */
	const char *value;  /* what --help calls the value: "FORMAT" */
	const char *preset; /* taken when it is not given; NULL none */
	const char *const *choices; /* CHOICE: ends with NULL */
	const char *group;  /* heading in --help, of this and the following entries */
	const char *help;
};

/* What stands on the command line without a dash. */
struct hs_operand {
	const char *name; /* "FILE"; NULL: the command takes none */
	bool required;
	const char *const *choices; /* or NULL: anything */
	bool plain;                 /* no path: shells have nothing to complete */
};

struct hs_value {
	const struct hs_option *option;
	const char *text;
	bool negated; /* --not stood before it */
};

/* A parsed command line. All texts are borrowed from argv and the table. */
struct hs_args {
	const char *program; /* "hopscope graph", for messages */
	const struct hs_option *options;
	struct hs_value *values; /* in the order they were given */
	size_t count;
	const char *operand; /* or NULL */
};

/*
 * Parses argv[1] … of argc; options and the operand may stand in any order, "--" ends options.
 * 0 or -EINVAL with one line in message that names what is wrong and what was expected.
 * hs_args_free() either way. Permutes argv.
 */
int hs_args_parse(struct hs_args *args, int argc, char **argv, const struct hs_operand *operand,
		  char *message, size_t size);
void hs_args_free(struct hs_args *args);

/*
 * Values by the name of the option, which must be in the table. The last one given wins; else
 * the preset. Values have been checked: conversions cannot fail.
 */
bool hs_args_given(const struct hs_args *args, const char *name);
bool hs_args_flag(const struct hs_args *args, const char *name);
const char *hs_args_text(const struct hs_args *args, const char *name); /* NULL: no value */
uint64_t hs_args_count(const struct hs_args *args, const char *name);	/* 0: no value */
uint64_t hs_args_duration_ns(const struct hs_args *args, const char *name);

/* Whether the table has it at all: commands share code that asks. */
const struct hs_option *hs_option_find(const struct hs_option *options, const char *name);

/*
 * The value that text stands for: text itself, or the choice it names. NULL: it is none, and
 * *expected says what one is (NULL for choices: their list does).
 */
const char *hs_option_value(const struct hs_option *option, const char *text,
			    const char **expected);

#endif
