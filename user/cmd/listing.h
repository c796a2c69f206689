/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command that shows a list of the API as a table: which document, which columns, which order,
 * which filters. The tables say it all; the code that fetches, filters, sorts, draws and watches
 * is the same for each. `top` draws the same tables.
 */
#ifndef HS_CMD_LISTING_H
#define HS_CMD_LISTING_H

#include <jansson.h>
#include <stdio.h>

#include "base/units.h"
#include "cmd/filter.h"
#include "cmd/table.h"

#define HS_CELL_LEN 320

struct hs_cell {
	enum hs_style style;
	char text[HS_CELL_LEN];
};

/* One column: a number at a path of the row ("-" when it is not known), or what draw() writes. */
struct hs_field {
	struct hs_column column;
	const char *path;
	enum hs_unit unit;
	void (*draw)(const json_t *row, struct hs_cell *cell);
	bool wide; /* only with -o wide */
	const char *when; /* only where some row has a number above 0 at this path; NULL: always */
};

/* A name is shortened in its middle down to floor; a number is left out in the order of drop. */
#define HS_FIELD_NAME(title_, floor_, draw_)                                                       \
	{                                                                                          \
		.column = { .title = title_, .floor = floor_, .cut = HS_CUT_MIDDLE },              \
		.draw = draw_                                                                      \
	}
#define HS_FIELD_NUMBER(title_, drop_, path_, unit_)                                               \
	{                                                                                          \
		.column = { .title = title_, .right = true, .drop = drop_ }, .path = path_,        \
		.unit = unit_                                                                      \
	}
#define HS_FIELD_NUMBER_WIDE(title_, path_, unit_)                                                 \
	{                                                                                          \
		.column = { .title = title_, .right = true }, .path = path_, .unit = unit_,        \
		.wide = true                                                                       \
	}

/* Keys of an order, first the most important: numbers, highest first, or with '+' texts from A. */
#define HS_ORDER_KEYS 12
struct hs_order {
	const char *key[HS_ORDER_KEYS];
};

struct hs_format { /* of the output, besides table, wide and json */
	const char *name;
	void (*write)(FILE *out, const json_t *document);
};

struct hs_listing {
	const char *document; /* /api/v1/NAME */
	const char *noun;     /* "connections", for messages */
	const struct hs_field *fields;
	size_t field_count;
	const char *const *sorts; /* values of --sort-by; the first is the preset; NULL ends it */
	const struct hs_order *orders; /* of the same length */
	const struct hs_filter *filters;
	const struct hs_format *formats; /* the last has no name; or NULL */
	/* What is to be done with a document whose items were filtered, or NULL. */
	void (*filtered)(json_t *document);
	/* Rows of the table, a new array; NULL: the items are. */
	json_t *(*rows)(const json_t *items);
	const char *empty; /* what to say when there is nothing at all */
};

/* `hopscope COMMAND` with the options of args; the exit status. */
int hs_listing_run(const struct hs_listing *listing, const struct hs_args *args);

/* The pieces, for top and for tests. */

/* Takes out the items that the user does not want. */
void hs_listing_filter(const struct hs_listing *listing, const struct hs_args *args,
		       json_t *document);

/* The rows of a document in the order of that number; a new reference. */
json_t *hs_listing_rows(const struct hs_listing *listing, const json_t *document, size_t order,
			bool reverse);
struct hs_table *hs_listing_table(const struct hs_listing *listing, const json_t *rows, bool wide);

/* Everything that one look at the document prints. */
void hs_listing_write(const struct hs_listing *listing, const struct hs_args *args, FILE *out,
		      json_t *document, const struct hs_screen *screen);

/* Options that all listings have; SORTS and FORMATS are the lists of choices. */
#define HS_OPTION_OUTPUT(formats)                                                                  \
	{                                                                                          \
		.name = "output", .letter = 'o', .kind = HS_OPTION_CHOICE, .value = "FORMAT",      \
		.preset = "table", .choices = formats, .group = "Output",                          \
		.help = "how to write it"                                                          \
	}
#define HS_OPTION_SORT_BY(sorts, default_sort)                                                     \
	{                                                                                          \
		.name = "sort-by", .kind = HS_OPTION_CHOICE, .value = "KEY", .choices = sorts,     \
		.preset = default_sort, .help = "what comes first"                                 \
	}
#define HS_OPTION_NO_HEADERS \
	{ .name = "no-headers", .kind = HS_OPTION_FLAG, .help = "leave out the line of titles" }
#define HS_OPTION_WATCH                                                                            \
	{                                                                                          \
		.name = "watch", .letter = 'w', .kind = HS_OPTION_FLAG,                            \
		.help = "go on: redraw on a terminal, append otherwise"                            \
	}
#define HS_OPTION_INTERVAL                                                                         \
	{                                                                                          \
		.name = "interval", .kind = HS_OPTION_DURATION, .value = "TIME", .preset = "2s",   \
		.help = "how often, with --watch"                                                  \
	}
#define HS_OPTION_FILTER(name_, kind_, value_, help_) \
	{ .name = name_, .kind = kind_, .filter = true, .value = value_, .help = help_ }
#define HS_OPTION_NAME                                                                             \
	{                                                                                          \
		.name = "name", .kind = HS_OPTION_TEXT, .filter = true, .value = "NAME",           \
		.group = "Filters", .help = "either end is called so; * and ? are wildcards"       \
	}
#define HS_OPTION_EITHER_NAME \
	HS_OPTION_FILTER("name", HS_OPTION_TEXT, "NAME", "either end is called so; * and ? are wildcards")
#define HS_OPTION_CLIENT HS_OPTION_FILTER("client", HS_OPTION_TEXT, "NAME", "the calling end is called so")
#define HS_OPTION_SERVER HS_OPTION_FILTER("server", HS_OPTION_TEXT, "NAME", "the called end is called so")
#define HS_OPTION_IP HS_OPTION_FILTER("ip", HS_OPTION_NETWORK, "CIDR", "either end has such an address")
#define HS_OPTION_EITHER_PORT HS_OPTION_FILTER("port", HS_OPTION_PORT, "PORT", "either end has this port")
#define HS_OPTION_SERVER_PORT HS_OPTION_FILTER("port", HS_OPTION_PORT, "PORT", "the server's port")
#define HS_OPTION_PID HS_OPTION_FILTER("pid", HS_OPTION_COUNT, "PID", "this process has either end")
#define HS_OPTION_NAMESPACE                                                                        \
	{                                                                                          \
		.name = "namespace", .letter = 'n', .kind = HS_OPTION_TEXT, .filter = true,        \
		.value = "NAMESPACE", .help = "either end is in this Kubernetes namespace"         \
	}
#define HS_OPTION_NOT_NEXT                                                                         \
	{                                                                                          \
		.name = "not", .kind = HS_OPTION_NOT,                                              \
		.help = "leave out what the next filter matches"                                   \
	}

/* Who is at the ends, for commands that show single things. */
#define HS_END_FILTERS                                                                             \
	HS_OPTION_EITHER_NAME, HS_OPTION_CLIENT, HS_OPTION_SERVER, HS_OPTION_IP,                   \
		HS_OPTION_EITHER_PORT, HS_OPTION_PID

/* The beginning of the table of every command that shows a list. */
#define HS_LISTING_OPTIONS(formats, sorts)                                                                     \
	HS_OPTION_OUTPUT(formats), HS_OPTION_SORT_BY(sorts, "importance"), HS_OPTION_NO_HEADERS, HS_OPTION_WATCH, \
		HS_OPTION_INTERVAL

#endif
