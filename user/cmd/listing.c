// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/listing.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/document.h"

#define MAX_FIELDS 40

void hs_listing_filter(const struct hs_listing *listing, const struct hs_args *args,
		       json_t *document)
{
	json_t *items = json_object_get(document, "items"), *kept = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		if (hs_filters_keep(listing->filters, args, item))
			json_array_append(kept, (json_t *)item);
	}
	json_object_set_new(document, "items", kept);
	if (listing->filtered && hs_filters_given(listing->filters, args))
		listing->filtered(document);
}

/* Negative: a comes first. */
static int compare_key(const json_t *a, const json_t *b, const char *key)
{
	double x, y;

	if (*key == '+')
		return strcmp(hs_doc_text(a, key + 1), hs_doc_text(b, key + 1));
	x = hs_doc_number(a, key);
	y = hs_doc_number(b, key);
	return (x < y) - (x > y);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct hs_order *order = arg;
	int result = 0;

	for (size_t i = 0; i < HS_ORDER_KEYS && order->key[i] && !result; i++)
		result = compare_key(*(json_t *const *)a, *(json_t *const *)b, order->key[i]);
	return result;
}

/* The same rows in another array; NULL when memory is short. */
static json_t *sorted(const json_t *rows, const struct hs_order *order, bool reverse)
{
	size_t count = json_array_size(rows);
	json_t **list = calloc(count + 1, sizeof(*list)), *result = json_array();

	for (size_t i = 0; list && i < count; i++)
		list[i] = json_array_get(rows, i);
	if (list)
		qsort_r(list, count, sizeof(*list), compare_rows, (void *)order);
	for (size_t i = 0; list && i < count; i++)
		json_array_append(result, list[reverse ? count - 1 - i : i]);
	free(list);
	return result;
}

json_t *hs_listing_rows(const struct hs_listing *listing, const json_t *document, size_t order,
			bool reverse)
{
	json_t *items = json_object_get(document, "items");
	json_t *rows = listing->rows ? listing->rows(items) : json_incref(items), *result;

	result = sorted(rows, &listing->orders[order], reverse);
	json_decref(rows);
	return result;
}

static void add_number(struct hs_table *table, const struct hs_field *field, const json_t *row)
{
	char text[HS_UNIT_LEN] = "-";
	double number;

	if (hs_doc_has_number(row, field->path, &number))
		hs_unit_format(field->unit, number, text);
	hs_table_add(table, HS_PLAIN, text);
}

static void add_cell(struct hs_table *table, const struct hs_field *field, const json_t *row)
{
	struct hs_cell cell = { HS_PLAIN, "" };

	if (!field->draw) {
		add_number(table, field, row);
		return;
	}
	field->draw(row, &cell);
	hs_table_add(table, cell.style, cell.text);
}

static bool is_wanted(const struct hs_field *field, const json_t *rows, bool wide)
{
	const json_t *row;
	size_t i;

	if (field->wide && !wide)
		return false;
	if (!field->when)
		return true;
	json_array_foreach(rows, i, row) {
		if (hs_doc_number(row, field->when) > 0)
			return true;
	}
	return false;
}

struct hs_table *hs_listing_table(const struct hs_listing *listing, const json_t *rows, bool wide)
{
	const struct hs_column *columns[MAX_FIELDS];
	const struct hs_field *shown[MAX_FIELDS];
	struct hs_table *table;
	const json_t *row;
	size_t count = 0, i;

	for (i = 0; i < listing->field_count && count < MAX_FIELDS; i++) {
		if (!is_wanted(&listing->fields[i], rows, wide))
			continue;
		shown[count] = &listing->fields[i];
		columns[count++] = &listing->fields[i].column;
	}
	table = hs_table_new(columns, count);
	json_array_foreach(rows, i, row) {
		for (size_t field = 0; field < count; field++)
			add_cell(table, shown[field], row);
	}
	return table;
}

static size_t order_of(const struct hs_listing *listing, const struct hs_args *args)
{
	const char *by = hs_args_text(args, "sort-by");
	size_t i = 0;

	while (listing->sorts[i] && strcmp(listing->sorts[i], by) != 0)
		i++;
	return listing->sorts[i] ? i : 0;
}

static void write_table(const struct hs_listing *listing, const struct hs_args *args, FILE *out,
			const json_t *document, const struct hs_screen *screen)
{
	bool wide = !strcmp(hs_args_text(args, "output"), "wide");
	json_t *rows = hs_listing_rows(listing, document, order_of(listing, args), false);
	struct hs_table *table = hs_listing_table(listing, rows, wide);
	struct hs_screen fitting = *screen;

	if (wide)
		fitting.width = 0;
	if (hs_table_rows(table))
		hs_table_print(table, out, &fitting, !hs_args_flag(args, "no-headers"));
	hs_table_free(table);
	json_decref(rows);
}

/* One line when it is one of many, else as a person reads it. */
static void write_json(const struct hs_listing *listing, const struct hs_args *args, FILE *out,
		       json_t *document)
{
	size_t flags = JSON_REAL_PRECISION(15);

	if (!listing->rows)
		json_object_set_new(document, "items",
				    hs_listing_rows(listing, document, order_of(listing, args),
						    false));
	flags |= hs_args_flag(args, "watch") ? JSON_COMPACT : JSON_INDENT(2);
	json_dumpf(document, out, flags);
	fputc('\n', out);
}

void hs_listing_write(const struct hs_listing *listing, const struct hs_args *args, FILE *out,
		      json_t *document, const struct hs_screen *screen)
{
	const char *output = hs_args_text(args, "output");
	const struct hs_format *format = listing->formats;

	hs_listing_filter(listing, args, document);
	while (format && format->name && strcmp(format->name, output) != 0)
		format++;
	if (format && format->name)
		format->write(out, document);
	else if (!strcmp(output, "json"))
		write_json(listing, args, out, document);
	else
		write_table(listing, args, out, document, screen);
}
