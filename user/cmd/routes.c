// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope routes: calls by API. */
#include "cmd/routes.h"

#include <stdio.h>
#include <string.h>

#include "cmd/calls.h"
#include "cmd/command.h"
#include "cmd/document.h"

static void draw_call(const json_t *route, struct hs_cell *cell)
{
	hs_calls_name(route, "route", cell->text, sizeof(cell->text));
}

static void draw_client(const json_t *route, struct hs_cell *cell)
{
	hs_doc_label(hs_doc_at(route, "client"), false, cell->text);
}

static void draw_server(const json_t *route, struct hs_cell *cell)
{
	hs_doc_label(hs_doc_at(route, "server"), true, cell->text);
}

static void draw_protocol(const json_t *route, struct hs_cell *cell)
{
	snprintf(cell->text, sizeof(cell->text), "%s", hs_doc_text(route, "protocol"));
}

static void draw_errors(const json_t *route, struct hs_cell *cell)
{
	double ratio = hs_doc_number(route, "error_ratio");

	hs_calls_percent(ratio, cell->text);
	cell->style = hs_calls_style(ratio);
}

static double calls_of(const json_t *status)
{
	return hs_doc_number(status, "calls");
}

/* The most frequent of those that come behind it in order; NULL: none is left. */
static const json_t *next_status(const json_t *statuses, const json_t *previous)
{
	const json_t *best = NULL, *status;
	bool behind = !previous;
	size_t i;

	json_array_foreach(statuses, i, status) {
		bool follows = !previous || calls_of(status) < calls_of(previous) ||
			       (behind && calls_of(status) == calls_of(previous));

		if (follows && (!best || calls_of(status) > calls_of(best)))
			best = status;
		behind = behind || status == previous;
	}
	return best;
}

/* "200 118, 500 2": what there is most of first. */
static void draw_statuses(const json_t *route, struct hs_cell *cell)
{
	const json_t *statuses = hs_doc_at(route, "statuses"), *status = NULL;
	size_t len = 0;

	while ((status = next_status(statuses, status)) && len < sizeof(cell->text)) {
		char number[HS_UNIT_LEN];

		hs_unit_format(HS_UNIT_COUNT, calls_of(status), number);
		len += (size_t)snprintf(cell->text + len, sizeof(cell->text) - len, "%s%s %s", len ? ", " : "",
					hs_doc_text(status, "status"), number);
	}
}

static const struct hs_field fields[] = {
	HS_FIELD_NAME("CALL", 20, draw_call),
	{ .column = { .title = "PROTOCOL" }, .draw = draw_protocol, .wide = true },
	HS_FIELD_NAME("CLIENT", 8, draw_client),
	HS_FIELD_NAME("SERVER", 12, draw_server),
	HS_FIELD_NUMBER("REQ/S", 0, "rates.calls_per_second", HS_UNIT_RATE),
	{ .column = { .title = "ERR%", .right = true }, .draw = draw_errors },
	HS_FIELD_NUMBER("P50", 2, "duration.p50_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER("P95", 4, "duration.p95_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER("P99", 0, "duration.p99_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER("CALLS", 3, "calls", HS_UNIT_COUNT),
	HS_FIELD_NUMBER_WIDE("FAILED", "failed_calls", HS_UNIT_COUNT),
	HS_FIELD_NUMBER_WIDE("SENT", "request_bytes", HS_UNIT_BYTES),
	HS_FIELD_NUMBER_WIDE("RECV", "response_bytes", HS_UNIT_BYTES),
	{ .column = { .title = "STATUSES", .floor = 12, .drop = 5 }, .draw = draw_statuses },
};

static const char *const sorts[] = { "importance", "requests", "errors", "latency", "calls",
				     "route",	   "client",   "server", NULL };

/* Importance: what fails now, what is busy, what has failed. */
static const struct hs_order orders[] = {
	{ { "rates.failed_calls_per_second", "rates.calls_per_second", "failed_calls", "calls", "+route",
	    "+operation", "+server.name" } },
	{ { "rates.calls_per_second", "calls", "+route", "+server.name" } },
	{ { "error_ratio", "failed_calls", "calls", "+route", "+server.name" } },
	{ { "duration.p99_seconds", "+route", "+server.name" } },
	{ { "calls", "+route", "+server.name" } },
	{ { "+route", "+operation", "+server.name" } },
	{ { "+client.name", "+server.name", "+route" } },
	{ { "+server.name", "server.port", "+route" } },
};
_Static_assert(sizeof(sorts) / sizeof(sorts[0]) == sizeof(orders) / sizeof(orders[0]) + 1,
	       "an order for every name");

static const struct hs_filter filters[] = {
	{ "route", hs_match_route },
	{ "method", hs_match_method },
	{ "protocol", hs_match_protocol },
	{ "name", hs_match_name },
	{ "client", hs_match_client },
	{ "server", hs_match_server },
	{ "port", hs_match_server_port },
	{ "namespace", hs_match_namespace },
	{ NULL },
};

const struct hs_listing hs_routes_listing = {
	.document = "routes",
	.noun = "routes",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.sorts = sorts,
	.orders = orders,
	.filters = filters,
	.empty = "No calls yet: nothing was said that could be read since watching began.",
};

static int run(const struct hs_args *args)
{
	return hs_listing_run(&hs_routes_listing, args);
}

static const char *const outputs[] = { "table", "wide", "json", NULL };

static const struct hs_option options[] = {
	HS_LISTING_OPTIONS(outputs, sorts),
	HS_OPTION_NAME,
	HS_OPTION_ROUTE,
	HS_OPTION_METHOD,
	HS_OPTION_PROTOCOL,
	HS_OPTION_CLIENT,
	HS_OPTION_SERVER,
	HS_OPTION_SERVER_PORT,
	HS_OPTION_NAMESPACE,
	HS_OPTION_NOT_NEXT,
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "routes", "all routes, what fails first" },
	{ "routes --server shop --sort-by latency", "the slowest of one service" },
	{ "routes --route '/users/*' -o wide", "all there is to know of some" },
	{ NULL },
};

const struct hs_command hs_routes_command = {
	.name = "routes",
	.summary = "Show calls by API: how many, how fast, what fails",
	.details = "A route is a path with what names one thing among many folded, a table, an RPC's\n"
		   "method or a DNS name. ERR% is the part that was answered with an error or not at all.",
	.run = run,
	.options = options,
	.examples = examples,
};
