// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope requests: single calls, of the past and as they are answered. */
#include "cmd/requests.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "cmd/calls.h"
#include "cmd/command.h"
#include "cmd/document.h"
#include "cmd/reading.h"

#define ALL "last=999999999"

struct reader {
	const struct hs_args *args;
	struct hs_source *source;
	struct hs_screen screen;
	bool json, wide, follow;
	double number;  /* of the newest that was seen */
	size_t printed;
};

static void put_titles(const struct reader *reader)
{
	if (!reader->json && !reader->printed && !hs_args_flag(reader->args, "no-headers"))
		hs_requests_titles(stdout, &reader->screen, reader->wide);
}

static void print(struct reader *reader, const json_t *request)
{
	put_titles(reader);
	reader->printed++;
	if (reader->json) {
		json_dumpf(request, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
		putchar('\n');
	} else {
		hs_requests_write(stdout, request, &reader->screen, reader->wide);
	}
}

/* A duration counts from the time of the document: now, or the end of a recording. */
static int64_t since_ns(const struct reader *reader, const json_t *document)
{
	const char *since = hs_args_text(reader->args, "since");
	int64_t unix_ns;
	uint64_t ago_ns;

	if (!since)
		return INT64_MIN;
	if (hs_time_parse(since, &unix_ns))
		return unix_ns;
	if (!hs_duration_parse(since, &ago_ns) || !hs_time_parse(hs_doc_text(document, "time"), &unix_ns))
		return INT64_MIN;
	return unix_ns - (int64_t)ago_ns;
}

/* It ended since then. */
static bool is_since(const json_t *request, int64_t from_ns)
{
	int64_t unix_ns;

	return hs_time_parse(hs_doc_text(request, "time"), &unix_ns) &&
	       unix_ns + (int64_t)(hs_doc_number(request, "duration_seconds") * 1e9) >= from_ns;
}

/* Of the items that are wanted the last ones. */
static json_t *choose(const struct reader *reader, const json_t *document)
{
	const struct hs_args *args = reader->args;
	const json_t *items = hs_doc_at(document, "items"), *item;
	bool all = hs_args_given(args, "since") && !hs_args_given(args, "last");
	size_t last = all ? SIZE_MAX : hs_args_count(args, "last"), i;
	int64_t from_ns = since_ns(reader, document);
	json_t *chosen = json_array();

	json_array_foreach(items, i, item) {
		if (is_since(item, from_ns) && hs_filters_keep(hs_requests_filters, args, item))
			json_array_append(chosen, (json_t *)item);
	}
	while (json_array_size(chosen) > last)
		json_array_remove(chosen, 0);
	return chosen;
}

/* As the lines that are followed. */
static void name_kind(json_t *request)
{
	json_object_set_new(request, "apiVersion", json_string("hopscope/v1"));
	json_object_set_new(request, "kind", json_string("Request"));
}

static void print_chosen(struct reader *reader, json_t *document, json_t *chosen)
{
	json_t *item;
	size_t i;

	if (reader->json && !reader->follow) {
		json_object_set(document, "items", chosen);
		json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
		putchar('\n');
		return;
	}
	json_array_foreach(chosen, i, item) {
		if (reader->json)
			name_kind(item);
		print(reader, item);
	}
}

/* Silence looks like a fault: say that there is none. */
static void explain_nothing(const struct reader *reader, size_t seen)
{
	if (reader->printed || reader->json)
		return;
	if (seen)
		hs_complain("%s: none of %zu recent calls matches", reader->args->program, seen);
	else
		hs_complain("%s: no calls yet%s", reader->args->program,
			    reader->source->live && !reader->follow ? "; -f waits for them" : "");
}

static void print_past(struct reader *reader, json_t *document)
{
	const json_t *items = hs_doc_at(document, "items");
	size_t seen = json_array_size(items);
	json_t *chosen = choose(reader, document);

	if (seen)
		reader->number = hs_doc_number(json_array_get(items, seen - 1), "number");
	print_chosen(reader, document, chosen);
	json_decref(chosen);
	explain_nothing(reader, seen);
}

static int take_line(void *arg, const char *text, size_t length)
{
	struct reader *reader = arg;
	json_t *request = json_loadb(text, length, 0, NULL);

	if (!strcmp(hs_doc_text(request, "kind"), "Lost"))
		hs_complain("%s: %.0f calls were missed: they came faster than they were read",
			    reader->args->program, hs_doc_number(request, "requests"));
	else if (request && hs_doc_number(request, "number") > reader->number &&
		 hs_filters_keep(hs_requests_filters, reader->args, request))
		print(reader, request);
	json_decref(request);
	return !hs_output_alive();
}

static int is_unread(void *arg)
{
	(void)arg;
	return !hs_output_alive();
}

/* From the time of the document on: what was in it is known by its number. */
static int follow(struct reader *reader, const char *time)
{
	char query[160];
	int result;

	snprintf(query, sizeof(query), "follow=1&" ALL "&since=%.63s", time);
	put_titles(reader);
	reader->printed++;
	hs_output_alive();
	result = reader->source->stream(reader->source, "requests", query, take_line, is_unread, reader);
	if (!result) {
		hs_complain("%s: the agent ended", reader->args->program);
		return HS_EXIT_UNAVAILABLE;
	}
	return result < 0 ? hs_reading_failed(reader->args, reader->source) : hs_output_end(HS_EXIT_OK);
}

static int read_all(struct reader *reader)
{
	json_t *document = reader->source->get(reader->source, "requests");
	int status;

	if (!document)
		return hs_reading_failed(reader->args, reader->source);
	print_past(reader, document);
	status = reader->follow ? follow(reader, hs_doc_text(document, "time")) : hs_output_end(HS_EXIT_OK);
	json_decref(document);
	return status;
}

static int run(const struct hs_args *args)
{
	const char *output = hs_args_text(args, "output");
	struct reader reader = {
		.args = args, .screen = hs_screen_now(args), .json = !strcmp(output, "json"),
		.wide = !strcmp(output, "wide"),
	};
	int status;

	reader.source = hs_reading_open(args, &status);
	if (!reader.source)
		return status;
	reader.follow = hs_args_flag(args, "follow") && reader.source->live;
	status = read_all(&reader);
	reader.source->close(reader.source);
	return status;
}

static const char *const outputs[] = { "table", "wide", "json", NULL };

static const struct hs_option options[] = {
	HS_OPTION_OUTPUT(outputs),
	HS_OPTION_NO_HEADERS,
	{ .name = "follow", .letter = 'f', .kind = HS_OPTION_FLAG,
	  .help = "go on with what is answered" },
	{ .name = "last", .kind = HS_OPTION_COUNT, .value = "N", .preset = "20",
	  .help = "how many of the past, counted after the filters" },
	{ .name = "since", .kind = HS_OPTION_SINCE, .value = "TIME",
	  .help = "those that ended since then: 5m, or 2026-01-31T12:00:00Z" },
	{ .name = "status", .kind = HS_OPTION_TEXT, .filter = true, .value = "STATUS", .group = "Filters",
	  .help = "404, 5xx, NOT_FOUND, unanswered, cancelled, or all that failed" },
	HS_OPTION_FILTER("slower-than", HS_OPTION_DURATION, "TIME", "it took longer than this"),
	HS_OPTION_ROUTE,
	HS_OPTION_METHOD,
	HS_OPTION_PROTOCOL,
	HS_END_FILTERS,
	HS_OPTION_NAMESPACE,
	HS_OPTION_NOT_NEXT,
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "requests -f", "the last 20 calls, then those that are answered" },
	{ "requests --status failed --since 10m", "what failed in the last ten minutes" },
	{ "requests -f --slower-than 100ms --route '/users/*'", "the slow ones of some routes" },
	{ "requests --protocol redis -o json", "as JSON" },
	{ NULL },
};

const struct hs_command hs_requests_command = {
	.name = "requests",
	.summary = "Show single calls: method, path, status, how long, between whom",
	.details = "All that failed or took more than a second are there, of the others some; with -f\n"
		   "all. Query strings, bodies and values are never kept.",
	.run = run,
	.options = options,
	.examples = examples,
};
