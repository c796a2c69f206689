// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope graph: who calls whom. */
#include "cmd/graph.h"

#include <stdio.h>
#include <string.h>

#include "cmd/calls.h"
#include "cmd/command.h"
#include "cmd/document.h"

/* Below this a moving average is the tail of something that is over. */
#define RATE_OVER 0.005

static bool failing(const json_t *edge)
{
	return hs_doc_number(edge, "rates.failures_per_second") >= RATE_OVER;
}

static void draw_client(const json_t *edge, struct hs_cell *cell)
{
	hs_doc_label(hs_doc_at(edge, "client"), false, cell->text);
}

static void draw_server(const json_t *edge, struct hs_cell *cell)
{
	hs_doc_label(hs_doc_at(edge, "server"), true, cell->text);
}

static void draw_kinds(const json_t *edge, struct hs_cell *cell)
{
	snprintf(cell->text, sizeof(cell->text), "%s>%s", hs_doc_text(edge, "client.kind"),
		 hs_doc_text(edge, "server.kind"));
}

static void draw_namespaces(const json_t *edge, struct hs_cell *cell)
{
	const char *client = hs_doc_text(edge, "client.namespace");
	const char *server = hs_doc_text(edge, "server.namespace");

	if (*client || *server)
		snprintf(cell->text, sizeof(cell->text), "%s>%s", *client ? client : "-",
			 *server ? server : "-");
	else
		strcpy(cell->text, "-");
}

static void draw_retransmits(const json_t *edge, struct hs_cell *cell)
{
	hs_unit_format(HS_UNIT_COUNT, hs_doc_number(edge, "retransmitted_segments"), cell->text);
	if (hs_doc_number(edge, "rates.retransmits_per_second") >= RATE_OVER)
		cell->style = HS_WARNING;
}

/*
 * Red while it goes on, yellow when it is over. What goes on stands first, so that it is seen in a
 * narrow terminal too.
 */
static void draw_failures(const json_t *edge, struct hs_cell *cell)
{
	bool goes_on = failing(edge) || hs_doc_number(edge, "stuck") > 0;
	char rate[HS_UNIT_LEN];

	hs_unit_format(HS_UNIT_RATE, hs_doc_number(edge, "rates.failures_per_second"), rate);
	hs_graph_failures(edge, failing(edge) ? rate : NULL, cell->text, sizeof(cell->text));
	if (*cell->text)
		cell->style = goes_on ? HS_BAD : HS_WARNING;
}

static void draw_counts(const json_t *edge, const char *path, struct hs_cell *cell)
{
	hs_graph_counts(hs_doc_at(edge, path), cell->text, sizeof(cell->text));
	if (!*cell->text)
		strcpy(cell->text, "-");
}

static void draw_broken(const json_t *edge, struct hs_cell *cell)
{
	draw_counts(edge, "connection_failures", cell);
}

static void draw_causes(const json_t *edge, struct hs_cell *cell)
{
	draw_counts(edge, "causes", cell);
}

/* "client rto 3, server fast 1" */
static void draw_kinds_of_retransmits(const json_t *edge, struct hs_cell *cell)
{
	static const char *const sides[] = { "client", "server" };
	size_t len = 0;

	for (size_t i = 0; i < 2; i++) {
		char path[32], counts[128];

		snprintf(path, sizeof(path), "retransmits.%s", sides[i]);
		hs_graph_counts(hs_doc_at(edge, path), counts, sizeof(counts));
		if (*counts)
			len += (size_t)snprintf(cell->text + len, sizeof(cell->text) - len,
						"%s%s %s", len ? ", " : "", sides[i], counts);
	}
	if (!len)
		strcpy(cell->text, "-");
}

static void draw_resets(const json_t *edge, struct hs_cell *cell)
{
	char client[HS_UNIT_LEN], server[HS_UNIT_LEN];

	hs_unit_format(HS_UNIT_COUNT, hs_doc_number(edge, "resets.client"), client);
	hs_unit_format(HS_UNIT_COUNT, hs_doc_number(edge, "resets.server"), server);
	snprintf(cell->text, sizeof(cell->text), "%s/%s", client, server);
}

/* A number of its calls, where it has any. */
static bool draws_calls(const json_t *edge, struct hs_cell *cell)
{
	bool calls = hs_doc_number(edge, "calls") > 0;

	if (!calls)
		strcpy(cell->text, "-");
	return calls;
}

static void draw_call_rate(const json_t *edge, struct hs_cell *cell)
{
	if (draws_calls(edge, cell))
		hs_unit_format(HS_UNIT_RATE, hs_doc_number(edge, "rates.calls_per_second"), cell->text);
}

static void draw_call_errors(const json_t *edge, struct hs_cell *cell)
{
	double ratio = hs_doc_number(edge, "call_error_ratio");

	if (!draws_calls(edge, cell))
		return;
	hs_calls_percent(ratio, cell->text);
	cell->style = hs_calls_style(ratio);
}

static void draw_protocols(const json_t *edge, struct hs_cell *cell)
{
	const json_t *protocols = hs_doc_at(edge, "protocols"), *protocol;
	size_t len = 0, i;

	strcpy(cell->text, "-");
	json_array_foreach(protocols, i, protocol) {
		const char *name = json_string_value(protocol);

		if (name && len < sizeof(cell->text))
			len += (size_t)snprintf(cell->text + len, sizeof(cell->text) - len, "%s%s", len ? "," : "",
						name);
	}
}

/* Columns of calls show where there are some. */
#define CALLS_DRAWN(title_, drop_, draw_)                                                                 \
	{ .column = { .title = title_, .right = true, .drop = drop_ }, .draw = draw_, .when = "calls" }
#define CALLS_NUMBER(title_, drop_, path_, unit_, wide_)                                           \
	{                                                                                          \
		.column = { .title = title_, .right = true, .drop = drop_ }, .path = path_,        \
		.unit = unit_, .when = "calls", .wide = wide_                                      \
	}

/* What 80 columns leave out goes first: it is in -o wide, and in what is piped. */
static const struct hs_field fields[] = {
	HS_FIELD_NAME("CLIENT", 12, draw_client),
	HS_FIELD_NAME("SERVER", 14, draw_server),
	{ .column = { .title = "KINDS" }, .draw = draw_kinds, .wide = true },
	{ .column = { .title = "NAMESPACES" }, .draw = draw_namespaces, .wide = true },
	CALLS_DRAWN("REQ/S", 1, draw_call_rate),
	CALLS_DRAWN("ERR%", 2, draw_call_errors),
	CALLS_NUMBER("CALLS", 0, "calls", HS_UNIT_COUNT, true),
	CALLS_NUMBER("FAILED", 0, "failed_calls", HS_UNIT_COUNT, true),
	CALLS_NUMBER("P50", 6, "call_duration.p50_seconds", HS_UNIT_SECONDS, false),
	CALLS_NUMBER("P95", 11, "call_duration.p95_seconds", HS_UNIT_SECONDS, false),
	CALLS_NUMBER("P99", 3, "call_duration.p99_seconds", HS_UNIT_SECONDS, false),
	CALLS_NUMBER("NETWORK P50", 0, "network_duration.p50_seconds", HS_UNIT_SECONDS, true),
	CALLS_NUMBER("QUEUE P50", 0, "queue_duration.p50_seconds", HS_UNIT_SECONDS, true),
	CALLS_NUMBER("QUEUE P99", 0, "queue_duration.p99_seconds", HS_UNIT_SECONDS, true),
	CALLS_NUMBER("SERVICE P50", 0, "service_duration.p50_seconds", HS_UNIT_SECONDS, true),
	CALLS_NUMBER("SERVICE P99", 0, "service_duration.p99_seconds", HS_UNIT_SECONDS, true),
	{ .column = { .title = "PROTOCOL" }, .draw = draw_protocols, .when = "calls", .wide = true },
	HS_FIELD_NUMBER("ACTIVE", 5, "active_connections", HS_UNIT_COUNT),
	HS_FIELD_NUMBER_WIDE("CONNECTS", "connects", HS_UNIT_COUNT),
	HS_FIELD_NUMBER("CONN/S", 4, "rates.connects_per_second", HS_UNIT_RATE),
	HS_FIELD_NUMBER_WIDE("CONN P50", "connect_duration.p50_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER("CONN P99", 7, "connect_duration.p99_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("ACCEPT P99", "accept_delay.p99_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("LIFE P50", "connection_duration.p50_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER("RTT", 10, "rtt.p50_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("SENT", "sent_bytes", HS_UNIT_BYTES),
	HS_FIELD_NUMBER("SENT/S", 9, "rates.sent_bytes_per_second", HS_UNIT_BYTES),
	HS_FIELD_NUMBER_WIDE("RECV", "received_bytes", HS_UNIT_BYTES),
	HS_FIELD_NUMBER("RECV/S", 8, "rates.received_bytes_per_second", HS_UNIT_BYTES),
	{ .column = { .title = "RETR", .right = true, .drop = 6 }, .draw = draw_retransmits },
	{ .column = { .title = "RETRANSMITS" }, .draw = draw_kinds_of_retransmits, .wide = true },
	{ .column = { .title = "RESETS", .right = true }, .draw = draw_resets, .wide = true },
	HS_FIELD_NUMBER_WIDE("CANCELLED", "cancelled", HS_UNIT_COUNT),
	HS_FIELD_NUMBER_WIDE("STUCK", "stuck", HS_UNIT_COUNT),
	{ .column = { .title = "BROKEN" }, .draw = draw_broken, .wide = true },
	{ .column = { .title = "CAUSES" }, .draw = draw_causes, .wide = true },
	{ .column = { .title = "FAILURES", .floor = 18 }, .draw = draw_failures },
};

static const char *const sorts[] = { "importance", "failures", "rate",	      "duration", "active", "sent",
				     "received",   "retransmits", "rtt",      "client",	  "server", "requests",
				     "errors",	   "latency",  NULL };

/* Importance: connects fail, connections hang, calls fail, what failed, what is busy. */
static const struct hs_order orders[] = {
	{ { "rates.failures_per_second", "stuck", "rates.failed_calls_per_second", "failed_connects",
	    "failed_connections", "rates.calls_per_second", "rates.connects_per_second",
	    "rates.received_bytes_per_second",
	    "rates.sent_bytes_per_second", "active_connections", "+client.name", "+server.name" } },
	{ { "failed_connects", "failed_connections", "stuck", "rates.failures_per_second",
	    "+client.name", "+server.name" } },
	{ { "rates.connects_per_second", "connects", "+client.name", "+server.name" } },
	{ { "connect_duration.p99_seconds", "+client.name", "+server.name" } },
	{ { "active_connections", "connects", "+client.name", "+server.name" } },
	{ { "rates.sent_bytes_per_second", "sent_bytes", "+client.name", "+server.name" } },
	{ { "rates.received_bytes_per_second", "received_bytes", "+client.name", "+server.name" } },
	{ { "retransmitted_segments", "+client.name", "+server.name" } },
	{ { "rtt.p50_seconds", "+client.name", "+server.name" } },
	{ { "+client.name", "+server.name", "server.port" } },
	{ { "+server.name", "server.port", "+client.name" } },
	{ { "rates.calls_per_second", "calls", "+client.name", "+server.name" } },
	{ { "call_error_ratio", "failed_calls", "calls", "+client.name", "+server.name" } },
	{ { "call_duration.p99_seconds", "+client.name", "+server.name" } },
};
_Static_assert(sizeof(sorts) / sizeof(sorts[0]) == sizeof(orders) / sizeof(orders[0]) + 1,
	       "an order for every name");

static const struct hs_filter filters[] = {
	{ "name", hs_match_name },
	{ "client", hs_match_client },
	{ "server", hs_match_server },
	{ "port", hs_match_server_port },
	{ "namespace", hs_match_namespace },
	{ NULL },
};

static const struct hs_format formats[] = {
	{ "dot", hs_graph_dot },
	{ "mermaid", hs_graph_mermaid },
	{ NULL },
};

/* Whether an item is left that goes from source to target, or touches node where that is given. */
static bool is_used(const json_t *items, const char *source, const char *target, const char *node)
{
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const char *client = hs_doc_text(item, "client.name");
		const char *server = hs_doc_text(item, "server.name");

		if (node ? !strcmp(node, client) || !strcmp(node, server) :
			   !strcmp(source, client) && !strcmp(target, server))
			return true;
	}
	return false;
}

/* The part of the document that Grafana reads follows the items. */
static void drop_unused(json_t *document)
{
	const json_t *items = json_object_get(document, "items");
	json_t *nodes = json_object_get(document, "nodes");
	json_t *edges = json_object_get(document, "edges");

	for (size_t i = json_array_size(nodes); i-- > 0;) {
		if (!is_used(items, NULL, NULL, hs_doc_text(json_array_get(nodes, i), "id")))
			json_array_remove(nodes, i);
	}
	for (size_t i = json_array_size(edges); i-- > 0;) {
		const json_t *edge = json_array_get(edges, i);

		if (!is_used(items, hs_doc_text(edge, "source"), hs_doc_text(edge, "target"), NULL))
			json_array_remove(edges, i);
	}
}

const struct hs_listing hs_graph_listing = {
	.document = "graph",
	.noun = "calls",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.sorts = sorts,
	.orders = orders,
	.filters = filters,
	.formats = formats,
	.filtered = drop_unused,
	.empty = "No calls yet: no TCP connection is open, and none was tried since watching began.",
};

static int run(const struct hs_args *args)
{
	return hs_listing_run(&hs_graph_listing, args);
}

static const char *const outputs[] = { "table", "wide", "json", "dot", "mermaid", NULL };

static const struct hs_option options[] = {
	HS_LISTING_OPTIONS(outputs, sorts),
	HS_OPTION_NAME,
	HS_OPTION_CLIENT,
	HS_OPTION_SERVER,
	HS_OPTION_SERVER_PORT,
	HS_OPTION_NAMESPACE,
	HS_OPTION_NOT_NEXT,
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "graph", "the graph now, what fails first" },
	{ "graph --watch", "the same, live" },
	{ "graph --sort-by latency", "whose answers take longest" },
	{ "graph --server 'postgres*' -o wide", "all there is to know of one server" },
	{ "graph -o dot | dot -Tsvg > calls.svg", "a picture" },
	{ NULL },
};

const struct hs_command hs_graph_command = {
	.name = "graph",
	.group = "See",
	.summary = "Show which process calls which, how fast, and what fails",
	.run = run,
	.options = options,
	.examples = examples,
};
