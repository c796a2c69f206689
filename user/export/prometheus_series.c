/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Labels are escaped once per scrape and not once per sample: an edge has up to ninety. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/format.h"
#include "export/prometheus_page.h"

void hs_series_label(FILE *out, const char *name, const char *value, char end)
{
	fprintf(out, "%s=\"", name);
	hs_format_escaped(out, value, HS_ESCAPE_LABEL);
	fputc('"', out);
	if (end)
		fputc(end, out);
}

void hs_series_port(FILE *out, uint64_t port, char end)
{
	char text[HS_NUMBER_LEN];

	hs_format_number(text, port);
	hs_series_label(out, "server_port", text, end);
}

/*
 * Label texts follow one another, NUL-ended, in one stream, that moves while it grows: so the
 * series get their pointers at the end, each from the length of the one before.
 */
int hs_series_close(FILE *out, struct hs_series_set *set)
{
	bool failed = ferror(out);
	const char *at;

	if (fclose(out) || failed)
		return -ENOMEM;
	at = set->text;
	for (size_t i = 0; i < set->count; i++) {
		set->series[i].labels = at;
		set->series[i].len = strlen(at);
		at += set->series[i].len + 1;
	}
	return 0;
}

FILE *hs_series_open(struct hs_series_set *set, size_t count, size_t *size)
{
	set->series = calloc(count + 1, sizeof(*set->series));
	return set->series ? open_memstream(&set->text, size) : NULL;
}

int hs_series_of_edges(const struct hs_model *model, struct hs_series_set *set)
{
	size_t count = 0, size;
	const struct hs_edge *edge;
	FILE *out;

	for (edge = hs_model_edges(model); edge; edge = edge->hh.next)
		count++;
	out = hs_series_open(set, count, &size);
	if (!out)
		return -ENOMEM;
	for (edge = hs_model_edges(model); edge; edge = edge->hh.next) {
		hs_series_label(out, "client", edge->key.client->identity.name, ',');
		hs_series_label(out, "server", edge->key.server->identity.name, ',');
		hs_series_port(out, edge->key.server_port, '\0');
		fputc('\0', out);
		set->series[set->count++].item = edge;
	}
	return hs_series_close(out, set);
}

int hs_series_compare(const void *left, const void *right)
{
	const struct hs_series *a = left, *b = right;

	return strcmp(a->labels, b->labels);
}

static void listen_add(struct hs_listen *sum, const struct hs_listener *listener)
{
	sum->backlog += listener->backlog;
	sum->backlog_limit += listener->backlog_limit;
	sum->syn_queue += listener->syn_queue;
	sum->drops += listener->drops;
	sum->overflows += listener->overflows;
	hs_histogram_join(&sum->accept_delay, &listener->accept_delay);
}

/* Sockets with the same labels become one series: their items are struct hs_listen from here on. */
static int merge_listeners(struct hs_series_set *set)
{
	struct hs_listen *sums = calloc(set->count + 1, sizeof(*sums));
	size_t kept = 0;

	set->items = sums;
	if (!sums)
		return -ENOMEM;
	qsort(set->series, set->count, sizeof(*set->series), hs_series_compare);
	for (size_t i = 0; i < set->count; i++) {
		struct hs_series series = set->series[i];

		if (!kept || hs_series_compare(&set->series[kept - 1], &series)) {
			set->series[kept] = series;
			set->series[kept].item = &sums[kept];
			kept++;
		}
		listen_add(&sums[kept - 1], series.item);
	}
	set->count = kept;
	return 0;
}

static void put_listener(FILE *out, const struct hs_listener *listener)
{
	char address[HS_ADDRESS_LEN];

	hs_format_address(address, listener->address);
	hs_series_label(out, "server", listener->workload ? listener->workload->identity.name : "unknown",
		  ',');
	hs_series_port(out, listener->port, ',');
	hs_series_label(out, "address", address, '\0');
	fputc('\0', out);
}

int hs_series_of_listeners(const struct hs_model *model, struct hs_series_set *set)
{
	size_t count = 0, size;
	const struct hs_listener *listener;
	FILE *out;
	int error;

	for (listener = hs_model_listeners(model); listener; listener = listener->hh.next)
		count++;
	out = hs_series_open(set, count, &size);
	if (!out)
		return -ENOMEM;
	for (listener = hs_model_listeners(model); listener; listener = listener->hh.next) {
		if (listener->own)
			continue;
		put_listener(out, listener);
		set->series[set->count++].item = listener;
	}
	error = hs_series_close(out, set);
	return error ? error : merge_listeners(set);
}

void hs_series_free(struct hs_series_set *set)
{
	free(set->series);
	free(set->text);
	free(set->items);
}
