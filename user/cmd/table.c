// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/table.h"

#include <stdlib.h>
#include <string.h>

#define GAP 2	     /* columns of space between two columns */
#define NARROWEST 3  /* of a column in a terminal that is too small for everything */
#define CELL_MAX 512 /* bytes of a cell's text */

struct cell {
	enum hs_style style;
	char *text; /* clean */
};

struct slot {
	const struct hs_column *column;
	int natural; /* width of the widest cell */
	int width;   /* after the layout; -1: left out */
};

struct hs_table {
	size_t columns;
	size_t cells, capacity;
	struct cell *cell;
	struct slot slot[];
};

struct hs_table *hs_table_new(const struct hs_column *const *columns, size_t count)
{
	struct hs_table *table = calloc(1, sizeof(*table) + count * sizeof(table->slot[0]));

	if (!table)
		return NULL;
	table->columns = count;
	for (size_t i = 0; i < count; i++)
		table->slot[i].column = columns[i];
	return table;
}

void hs_table_free(struct hs_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cells; i++)
		free(table->cell[i].text);
	free(table->cell);
	free(table);
}

static bool grow(struct hs_table *table)
{
	size_t capacity = table->capacity ? table->capacity * 2 : 256;
	struct cell *cell = reallocarray(table->cell, capacity, sizeof(*cell));

	if (!cell)
		return false;
	table->cell = cell;
	table->capacity = capacity;
	return true;
}

void hs_table_add(struct hs_table *table, enum hs_style style, const char *text)
{
	char clean[CELL_MAX];
	char *copy;
	int width;

	if (!table || (table->cells == table->capacity && !grow(table)))
		return;
	hs_display_clean(text, clean, sizeof(clean));
	copy = strdup(clean);
	if (!copy)
		return;
	width = hs_display_width(clean);
	if (width > table->slot[table->cells % table->columns].natural)
		table->slot[table->cells % table->columns].natural = width;
	table->cell[table->cells++] = (struct cell){ style, copy };
}

size_t hs_table_rows(const struct hs_table *table)
{
	return table ? table->cells / table->columns : 0;
}

/* Width of all columns that are in, each no narrower than its width, or its floor. */
static int total(const struct hs_table *table, bool at_floor)
{
	int sum = -GAP;

	for (size_t i = 0; i < table->columns; i++) {
		const struct slot *slot = &table->slot[i];
		int floor = at_floor ? slot->column->floor : 0;

		if (slot->width >= 0)
			sum += GAP + (floor && floor < slot->width ? floor : slot->width);
	}
	return sum;
}

/* Leaves columns out while even the shortened ones do not fit. */
static void drop_columns(struct hs_table *table, int width)
{
	while (total(table, true) > width) {
		struct slot *victim = NULL;

		for (size_t i = 0; i < table->columns; i++) {
			struct slot *slot = &table->slot[i];

			if (slot->width >= 0 && slot->column->drop &&
			    (!victim || slot->column->drop > victim->column->drop))
				victim = slot;
		}
		if (!victim)
			return;
		victim->width = -1;
	}
}

/* Takes one column at a time off the widest that may be shortened. False: none may any more. */
static bool shorten_widest(struct hs_table *table, bool below_floor)
{
	struct slot *widest = NULL;

	for (size_t i = 0; i < table->columns; i++) {
		struct slot *slot = &table->slot[i];
		int least = below_floor ? NARROWEST : slot->column->floor;

		if (least && slot->width > least && (!widest || slot->width > widest->width))
			widest = slot;
	}
	if (widest)
		widest->width--;
	return widest;
}

void hs_table_layout(struct hs_table *table, int width, bool headers)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->columns; i++) {
		struct slot *slot = &table->slot[i];
		int title = headers ? hs_display_width(slot->column->title) : 0;

		slot->width = title > slot->natural ? title : slot->natural;
	}
	if (!width)
		return;
	drop_columns(table, width);
	while (total(table, false) > width && shorten_widest(table, false))
		;
	while (total(table, false) > width && shorten_widest(table, true))
		;
}

static void put_spaces(int count, hs_table_piece piece, void *arg)
{
	static const char spaces[] = "                                ";
	int most = (int)sizeof(spaces) - 1;

	for (; count > 0; count -= most)
		piece(arg, HS_PLAIN, spaces + (count < most ? most - count : 0));
}

/* Space is put before the text that needs it, so that no line ends with any. */
static void put_cell(const struct slot *slot, const struct cell *cell, int *pending,
		     hs_table_piece piece, void *arg)
{
	char text[CELL_MAX + 4];
	int pad;

	hs_display_shorten(cell->text, slot->width, slot->column->cut, text, sizeof(text));
	pad = slot->width - hs_display_width(text);
	if (*text) {
		put_spaces(*pending + (slot->column->right ? pad : 0), piece, arg);
		piece(arg, cell->style, text);
		*pending = slot->column->right ? 0 : pad;
	} else {
		*pending += pad;
	}
	*pending += GAP;
}

void hs_table_line(const struct hs_table *table, long row, hs_table_piece piece, void *arg)
{
	int pending = 0;

	if (!table)
		return;
	for (size_t i = 0; i < table->columns; i++) {
		const struct slot *slot = &table->slot[i];
		struct cell title = { HS_HEADING, (char *)slot->column->title };

		if (slot->width < 0)
			continue;
		put_cell(slot, row < 0 ? &title : &table->cell[(size_t)row * table->columns + i],
			 &pending, piece, arg);
	}
}

struct ansi {
	FILE *out;
	bool color;
};

static void put_ansi(void *arg, enum hs_style style, const char *text)
{
	const struct ansi *ansi = arg;

	fprintf(ansi->out, "%s%s%s", hs_style_on(style, ansi->color), text,
		hs_style_off(style, ansi->color));
}

void hs_table_print(struct hs_table *table, FILE *out, const struct hs_screen *screen, bool headers)
{
	struct ansi ansi = { out, screen->color };

	hs_table_layout(table, screen->width, headers);
	for (long row = headers ? -1 : 0; row < (long)hs_table_rows(table); row++) {
		hs_table_line(table, row, put_ansi, &ansi);
		fputc('\n', out);
	}
}
