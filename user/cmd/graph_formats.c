// SPDX-License-Identifier: GPL-2.0-or-later
/* The call graph for other programs to draw: Graphviz and Mermaid. */
#include <stdlib.h>
#include <string.h>

#include "base/display.h"
#include "cmd/calls.h"
#include "cmd/document.h"
#include "cmd/graph.h"

#define MAX_COUNTS 40 /* more than there are causes */

struct count {
	const char *name;
	double count;
};

static int compare_counts(const void *a, const void *b)
{
	double x = ((const struct count *)a)->count, y = ((const struct count *)b)->count;

	return (x < y) - (x > y);
}

void hs_graph_counts(const json_t *counts, char *text, size_t size)
{
	struct count list[MAX_COUNTS];
	size_t count = 0, len = 0;
	const char *name;
	const json_t *value;

	*text = '\0';
	json_object_foreach((json_t *)counts, name, value) {
		if (json_number_value(value) > 0 && count < MAX_COUNTS)
			list[count++] = (struct count){ name, json_number_value(value) };
	}
	qsort(list, count, sizeof(*list), compare_counts);
	for (size_t i = 0; i < count && len < size; i++) {
		char number[HS_UNIT_LEN];

		hs_unit_format(HS_UNIT_COUNT, list[i].count, number);
		len += (size_t)snprintf(text + len, size - len, "%s%s %s", i ? ", " : "",
					list[i].name, number);
	}
}

void hs_graph_failures(const json_t *edge, const char *rate, char *text, size_t size)
{
	double stuck = hs_doc_number(edge, "stuck"), broken = hs_doc_number(edge, "failed_connections");
	char number[HS_UNIT_LEN], counts[192];
	size_t len = 0;

	*text = '\0';
	hs_graph_counts(hs_doc_at(edge, "failures"), counts, sizeof(counts));
	if (stuck > 0) {
		hs_unit_format(HS_UNIT_COUNT, stuck, number);
		len += (size_t)snprintf(text, size, "stuck %s", number);
	}
	if (*counts)
		len += (size_t)snprintf(text + len, size - len, "%s%s%s%s", len ? ", " : "",
					rate ? rate : "", rate ? "/s: " : "", counts);
	if (broken > 0) {
		hs_unit_format(HS_UNIT_COUNT, broken, number);
		snprintf(text + len, size - len, "%sbroken %s", len ? ", " : "", number);
	}
}

/* How a character is written inside of quotes; NULL ends a table. */
struct escape {
	char c;
	const char *text;
};

/* The DOT language knows only \"; in labels (escString) a backslash is special as well. */
static const struct escape dot_escapes[] = { { '"', "\\\"" }, { '\\', "\\\\" }, { 0, NULL } };

/* Mermaid has entity codes. Its labels may become HTML, and a backquote begins Markdown. */
static const struct escape mermaid_escapes[] = {
	{ '"', "#quot;" }, { '#', "#35;" }, { '<', "#lt;" },  { '>', "#gt;" },
	{ '&', "#amp;" },  { '`', "#96;" }, { '\\', "#92;" }, { 0, NULL },
};

static void put_quoted(FILE *out, const char *text, const struct escape *escapes)
{
	char clean[HS_CELL_LEN];

	hs_display_clean(text, clean, sizeof(clean));
	fputc('"', out);
	for (const char *c = clean; *c; c++) {
		const struct escape *escape = escapes;

		while (escape->text && escape->c != *c)
			escape++;
		if (escape->text)
			fputs(escape->text, out);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

/*
 * ":5432  1.5/s / 2.0ms / stuck 2, refused 12": port, then rate / p99 / failures. Of calls where there are
 * any: ":80  120/s / 3.1ms / 0.5% errors".
 */
static void edge_label(const json_t *edge, char label[HS_CELL_LEN])
{
	char rate[HS_UNIT_LEN], p99[HS_UNIT_LEN] = "-", errors[HS_UNIT_LEN], failures[224];
	bool calls = hs_doc_number(edge, "calls") > 0;
	double seconds;

	hs_unit_format(HS_UNIT_RATE, hs_doc_number(edge, calls ? "rates.calls_per_second" :
							 "rates.connects_per_second"), rate);
	if (hs_doc_has_number(edge, calls ? "call_duration.p99_seconds" : "connect_duration.p99_seconds", &seconds))
		hs_unit_format(HS_UNIT_SECONDS, seconds, p99);
	hs_graph_failures(edge, NULL, failures, sizeof(failures));
	hs_calls_percent(hs_doc_number(edge, "call_error_ratio"), errors);
	if (calls)
		snprintf(label, HS_CELL_LEN, ":%.0f  %s req/s / %s / %s%% errors%s%s", hs_doc_number(edge, "server.port"),
			 rate, p99, errors, *failures ? ", " : "", failures);
	else
		snprintf(label, HS_CELL_LEN, ":%.0f  %s/s / %s / %s", hs_doc_number(edge, "server.port"), rate, p99,
			 *failures ? failures : "0 failed");
}

static bool has_failed(const json_t *edge)
{
	return hs_doc_number(edge, "failed_connects") > 0 || hs_doc_number(edge, "failed_calls") > 0 ||
	       hs_doc_number(edge, "failed_connections") > 0 || hs_doc_number(edge, "stuck") > 0;
}

static json_t *make_node(const json_t *end, size_t number)
{
	bool outside = !strcmp(hs_doc_text(end, "kind"), "address");

	return json_pack("{s:I, s:b}", "number", (json_int_t)number, "outside", outside);
}

/* Names of all ends in order of appearance, each with its number; a new object. */
static json_t *number_nodes(const json_t *items)
{
	json_t *numbers = json_object();
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		for (int side = 0; side < 2; side++) {
			const json_t *end = hs_doc_at(item, side ? "server" : "client");
			const char *name = hs_doc_text(end, "name");
			size_t next = json_object_size(numbers);

			if (!json_object_get(numbers, name))
				json_object_set_new(numbers, name, make_node(end, next));
		}
	}
	return numbers;
}

void hs_graph_dot(FILE *out, const json_t *document)
{
	const json_t *items = json_object_get(document, "items"), *item;
	json_t *nodes = number_nodes(items);
	char label[HS_CELL_LEN];
	const char *name;
	json_t *node;
	size_t i;

	fputs("digraph hopscope {\n\trankdir=LR;\n\tnode [shape=box, style=rounded];\n", out);
	json_object_foreach(nodes, name, node) {
		fputc('\t', out);
		put_quoted(out, name, dot_escapes);
		fputs(" [label=", out);
		put_quoted(out, *name ? name : "?", dot_escapes);
		fputs(hs_doc_true(node, "outside") ? ", style=dashed];\n" : "];\n", out);
	}
	json_array_foreach(items, i, item) {
		edge_label(item, label);
		fputc('\t', out);
		put_quoted(out, hs_doc_text(item, "client.name"), dot_escapes);
		fputs(" -> ", out);
		put_quoted(out, hs_doc_text(item, "server.name"), dot_escapes);
		fputs(" [label=", out);
		put_quoted(out, label, dot_escapes);
		fputs(has_failed(item) ? ", color=red, fontcolor=red];\n" : "];\n", out);
	}
	fputs("}\n", out);
	json_decref(nodes);
}

static int node_number(const json_t *nodes, const json_t *item, const char *path)
{
	return (int)hs_doc_number(json_object_get(nodes, hs_doc_text(item, path)), "number");
}

void hs_graph_mermaid(FILE *out, const json_t *document)
{
	const json_t *items = json_object_get(document, "items"), *item;
	json_t *nodes = number_nodes(items);
	char label[HS_CELL_LEN];
	const char *name;
	json_t *node;
	size_t i;

	fputs("flowchart LR\n", out);
	json_object_foreach(nodes, name, node) {
		fprintf(out, "    n%d[", (int)hs_doc_number(node, "number"));
		put_quoted(out, *name ? name : "?", mermaid_escapes);
		fputs("]\n", out);
	}
	json_array_foreach(items, i, item) {
		edge_label(item, label);
		fprintf(out, "    n%d -->|", node_number(nodes, item, "client.name"));
		put_quoted(out, label, mermaid_escapes);
		fprintf(out, "| n%d\n", node_number(nodes, item, "server.name"));
	}
	json_array_foreach(items, i, item) {
		if (has_failed(item))
			fprintf(out, "    linkStyle %zu stroke:red,color:red\n", i);
	}
	json_decref(nodes);
}
