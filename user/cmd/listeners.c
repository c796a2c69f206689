// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope listeners: who waits for connections, and who keeps them waiting. */
#include "cmd/listeners.h"

#include <stdio.h>
#include <string.h>

#include "cmd/command.h"
#include "cmd/document.h"

static void draw_server(const json_t *listener, struct hs_cell *cell)
{
	hs_doc_label(hs_doc_at(listener, "server"), false, cell->text);
}

static void draw_address(const json_t *listener, struct hs_cell *cell)
{
	hs_doc_address(hs_doc_at(listener, "server"), cell->text);
}

/* "3/511". The kernel takes one more than the limit, and drops what comes then. */
static void draw_backlog(const json_t *listener, struct hs_cell *cell)
{
	double backlog = hs_doc_number(listener, "backlog");
	double limit = hs_doc_number(listener, "backlog_limit");

	snprintf(cell->text, sizeof(cell->text), "%.0f/%.0f", backlog, limit);
	if (backlog > limit)
		cell->style = HS_BAD;
	else if (backlog * 2 >= limit && backlog > 0)
		cell->style = HS_WARNING;
}

static void draw_drops(const json_t *listener, struct hs_cell *cell)
{
	hs_unit_format(HS_UNIT_COUNT, hs_doc_number(listener, "drops"), cell->text);
	if (hs_doc_number(listener, "drops") > 0)
		cell->style = HS_BAD;
}

/* How long the first in the queue has waited; nobody waits: "-". */
static void draw_oldest(const json_t *listener, struct hs_cell *cell)
{
	double wait = hs_doc_number(listener, "oldest_wait_seconds");

	if (wait > 0)
		hs_unit_format(HS_UNIT_SECONDS, wait, cell->text);
	else
		strcpy(cell->text, "-");
	if (wait >= 1)
		cell->style = HS_WARNING;
}

static const struct hs_field fields[] = {
	HS_FIELD_NAME("SERVER", 12, draw_server),
	HS_FIELD_NAME("LISTENS ON", 12, draw_address),
	HS_FIELD_NUMBER("PID", 6, "server.pid", HS_UNIT_PLAIN),
	{ .column = { .title = "BACKLOG", .right = true }, .draw = draw_backlog },
	HS_FIELD_NUMBER_WIDE("SYN QUEUE", "syn_queue", HS_UNIT_COUNT),
	{ .column = { .title = "DROPS", .right = true, .drop = 1 }, .draw = draw_drops },
	HS_FIELD_NUMBER_WIDE("SYN-ACK RETR", "syn_ack_retransmits", HS_UNIT_COUNT),
	HS_FIELD_NUMBER("ACCEPTS", 3, "accepts", HS_UNIT_COUNT),
	HS_FIELD_NUMBER("WAIT P50", 5, "accept_delay.p50_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("P95", "accept_delay.p95_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER("P99", 4, "accept_delay.p99_seconds", HS_UNIT_SECONDS),
	{ .column = { .title = "OLDEST", .right = true, .drop = 2 }, .draw = draw_oldest },
	HS_FIELD_NUMBER_WIDE("NETNS", "server.netns", HS_UNIT_PLAIN),
};

static const char *const sorts[] = { "importance", "backlog", "drops", "accepts", "wait",
				     "name",	   "port",    NULL };

/* Importance: who waits now, who was dropped, who waited. */
static const struct hs_order orders[] = {
	{ { "oldest_wait_seconds", "backlog", "drops", "accept_delay.p99_seconds", "accepts",
	    "+server.name", "server.port" } },
	{ { "backlog", "+server.name", "server.port" } },
	{ { "drops", "+server.name", "server.port" } },
	{ { "accepts", "+server.name", "server.port" } },
	{ { "accept_delay.p99_seconds", "+server.name", "server.port" } },
	{ { "+server.name", "server.port" } },
	{ { "server.port", "+server.name" } },
};
_Static_assert(sizeof(sorts) / sizeof(sorts[0]) == sizeof(orders) / sizeof(orders[0]) + 1,
	       "an order for every name");

static const struct hs_filter filters[] = {
	{ "name", hs_match_name },
	{ "port", hs_match_server_port },
	{ "pid", hs_match_pid },
	{ "namespace", hs_match_namespace },
	{ NULL },
};

const struct hs_listing hs_listeners_listing = {
	.document = "listeners",
	.noun = "listeners",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.sorts = sorts,
	.orders = orders,
	.filters = filters,
	.empty = "No program listens on TCP.",
};

static int run(const struct hs_args *args)
{
	return hs_listing_run(&hs_listeners_listing, args);
}

static const char *const outputs[] = { "table", "wide", "json", NULL };

static const struct hs_option options[] = {
	HS_LISTING_OPTIONS(outputs, sorts),
	{ .name = "name", .kind = HS_OPTION_TEXT, .filter = true, .value = "NAME",
	  .group = "Filters", .help = "it is called so; * and ? are wildcards" },
	HS_OPTION_FILTER("port", HS_OPTION_PORT, "PORT", "it listens on this port"),
	HS_OPTION_FILTER("pid", HS_OPTION_COUNT, "PID", "this process has it"),
	{ .name = "namespace", .letter = 'n', .kind = HS_OPTION_TEXT, .filter = true,
	  .value = "NAMESPACE", .help = "it is in this Kubernetes namespace" },
	HS_OPTION_NOT_NEXT,
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "listeners", "all listeners, those with a queue first" },
	{ "listeners --port 443 --watch", "one of them, live" },
	{ NULL },
};

const struct hs_command hs_listeners_command = {
	.name = "listeners",
	.summary = "Show listening sockets: backlog, drops, how long accept() takes",
	.details = "WAIT is the time from the handshake to accept(). BACKLOG is what waits now,\n"
		   "and the limit beyond which the kernel drops; OLDEST is how long its first has\n"
		   "waited.",
	.run = run,
	.options = options,
	.examples = examples,
};
