// SPDX-License-Identifier: GPL-2.0-or-later
/* hopscope connections: live sockets, as ss(8) shows them, with who is at both ends. */
#include "cmd/connections.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "cmd/command.h"
#include "cmd/document.h"

/*
 * A connection with both ends here is two sockets, hence two rows, as in ss. A row is
 * {"item": the connection, "end": the socket, "local": this side's end, "peer": the other's,
 * "arrow": who called whom}.
 */
static void add_row(json_t *rows, const json_t *item, const char *side, const char *other)
{
	bool client = !strcmp(side, "client");
	json_t *ends = json_object_get(item, "ends"), *end = json_object_get(ends, side);

	json_array_append_new(rows, json_pack("{s:O, s:O*, s:O*, s:O*, s:s}", "item", item, "end",
					      end, "local", json_object_get(item, side), "peer",
					      json_object_get(item, other), "arrow",
					      client ? "> " : "< "));
}

json_t *hs_connections_rows(const json_t *items)
{
	json_t *rows = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		if (hs_doc_at(item, "ends.client") || !hs_doc_at(item, "ends.server"))
			add_row(rows, item, "client", "server");
		if (hs_doc_at(item, "ends.server"))
			add_row(rows, item, "server", "client");
	}
	return rows;
}

static const char *state_of(const json_t *row)
{
	const char *state = hs_doc_text(row, "end.state");

	return *state ? state : hs_doc_text(row, "item.state");
}

/* In ss's spelling: ESTAB, CLOSE-WAIT. */
static void draw_state(const json_t *row, struct hs_cell *cell)
{
	const char *state = state_of(row);

	if (!strcmp(state, "established"))
		state = "estab";
	snprintf(cell->text, sizeof(cell->text), "%.32s", *state ? state : "-");
	for (char *c = cell->text; *c; c++)
		*c = *c == '_' ? '-' : (char)toupper((unsigned char)*c);
	/* The peer has closed and the application here has not: it leaks, if it is old. */
	if (!strcmp(cell->text, "CLOSE-WAIT") || !strcmp(cell->text, "SYN-SENT"))
		cell->style = HS_WARNING;
}

static void draw_local(const json_t *row, struct hs_cell *cell)
{
	hs_doc_label(hs_doc_at(row, "local"), true, cell->text);
}

static void draw_peer(const json_t *row, struct hs_cell *cell)
{
	char label[HS_LABEL_LEN];

	hs_doc_label(hs_doc_at(row, "peer"), true, label);
	snprintf(cell->text, sizeof(cell->text), "%s%s", hs_doc_text(row, "arrow"), label);
}

static void draw_local_address(const json_t *row, struct hs_cell *cell)
{
	hs_doc_address(hs_doc_at(row, "local"), cell->text);
}

static void draw_peer_address(const json_t *row, struct hs_cell *cell)
{
	hs_doc_address(hs_doc_at(row, "peer"), cell->text);
}

static void draw_comm(const json_t *row, struct hs_cell *cell)
{
	snprintf(cell->text, sizeof(cell->text), "%.64s", hs_doc_text(row, "local.comm"));
}

/* What this end sent again; red while it waits for an answer to it. */
static void draw_retransmits(const json_t *row, struct hs_cell *cell)
{
	const json_t *kinds = hs_doc_at(row, "end.retransmits"), *count;
	double total = 0;
	const char *kind;

	json_object_foreach((json_t *)kinds, kind, count)
		total += json_number_value(count);
	if (!kinds)
		total = hs_doc_number(row, "item.retransmitted_segments");
	hs_unit_format(HS_UNIT_COUNT, total, cell->text);
	if (hs_doc_number(row, "end.backoff") > 0 ||
	    hs_doc_number(row, "end.retransmit_attempts") > 0)
		cell->style = HS_BAD;
	else if (total > 0)
		cell->style = HS_WARNING;
}

static void draw_timer(const json_t *row, struct hs_cell *cell)
{
	const char *timer = hs_doc_text(row, "end.timer");
	double backoff = hs_doc_number(row, "end.backoff");

	if (!*timer || !strcmp(timer, "none"))
		strcpy(cell->text, "-");
	else if (backoff > 0)
		snprintf(cell->text, sizeof(cell->text), "%.32s x%.0f", timer, backoff);
	else
		snprintf(cell->text, sizeof(cell->text), "%.32s", timer);
}

/* The first columns are those of ss. SENT and RECEIVED are of this socket, as RETR is. */
static const struct hs_field fields[] = {
	{ .column = { .title = "STATE" }, .draw = draw_state },
	HS_FIELD_NUMBER("RECV-Q", 2, "end.unread_bytes", HS_UNIT_PLAIN),
	HS_FIELD_NUMBER("SEND-Q", 1, "end.unacked_bytes", HS_UNIT_PLAIN),
	HS_FIELD_NAME("LOCAL", 13, draw_local),
	HS_FIELD_NAME("PEER", 15, draw_peer),
	HS_FIELD_NUMBER("PID", 6, "local.pid", HS_UNIT_PLAIN),
	{ .column = { .title = "COMM" }, .draw = draw_comm, .wide = true },
	{ .column = { .title = "LOCAL ADDRESS" }, .draw = draw_local_address, .wide = true },
	{ .column = { .title = "PEER ADDRESS" }, .draw = draw_peer_address, .wide = true },
	HS_FIELD_NUMBER("AGE", 3, "item.age_seconds", HS_UNIT_AGE),
	HS_FIELD_NUMBER_WIDE("CONNECT", "item.connect_duration_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("ACCEPT", "item.accept_delay_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER("RTT", 4, "end.srtt_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("MIN RTT", "end.min_rtt_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("RTO", "end.rto_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("CWND", "end.cwnd", HS_UNIT_PLAIN),
	HS_FIELD_NUMBER_WIDE("SND-WND", "end.snd_wnd_bytes", HS_UNIT_BYTES),
	HS_FIELD_NUMBER_WIDE("SENT", "end.bytes_acked", HS_UNIT_BYTES),
	HS_FIELD_NUMBER_WIDE("RECEIVED", "end.bytes_received", HS_UNIT_BYTES),
	{ .column = { .title = "RETR", .right = true, .drop = 5 }, .draw = draw_retransmits },
	HS_FIELD_NUMBER_WIDE("LAST SENT", "end.last_sent_seconds", HS_UNIT_SECONDS),
	HS_FIELD_NUMBER_WIDE("LAST RECV", "end.last_received_seconds", HS_UNIT_SECONDS),
	{ .column = { .title = "TIMER" }, .draw = draw_timer, .wide = true },
};

static const char *const sorts[] = { "importance",  "age",  "recv-q", "send-q", "rtt",
				     "retransmits", "name", "peer",   NULL };

/* Importance: what waits for an answer, what waits to be read, then the oldest. */
static const struct hs_order orders[] = {
	{ { "end.backoff", "end.retransmit_attempts", "end.unread_bytes", "end.unacked_bytes",
	    "item.retransmitted_segments", "item.age_seconds", "+local.name", "local.port" } },
	{ { "item.age_seconds", "+local.name", "local.port" } },
	{ { "end.unread_bytes", "+local.name", "local.port" } },
	{ { "end.unacked_bytes", "+local.name", "local.port" } },
	{ { "end.srtt_seconds", "+local.name", "local.port" } },
	{ { "item.retransmitted_segments", "+local.name", "local.port" } },
	{ { "+local.name", "local.port", "+peer.name", "peer.port" } },
	{ { "+peer.name", "peer.port", "+local.name", "local.port" } },
};
_Static_assert(sizeof(sorts) / sizeof(sorts[0]) == sizeof(orders) / sizeof(orders[0]) + 1,
	       "an order for every name");

static char plain(char c)
{
	return c == '_' ? '-' : c;
}

/* The API spells close_wait, ss and --state close-wait. */
static bool same_state(const char *state, const char *value)
{
	while (*state && plain(*state) == plain(*value)) {
		state++;
		value++;
	}
	return !*state && !*value;
}

static bool match_state(const json_t *item, const char *value)
{
	return same_state(hs_doc_text(item, "state"), value) ||
	       same_state(hs_doc_text(item, "ends.client.state"), value) ||
	       same_state(hs_doc_text(item, "ends.server.state"), value);
}

static bool match_older_than(const json_t *item, const char *value)
{
	uint64_t ns = 0;
	double age;

	return hs_duration_parse(value, &ns) && hs_doc_has_number(item, "age_seconds", &age) &&
	       age * 1e9 > (double)ns;
}

static const struct hs_filter filters[] = {
	{ "name", hs_match_name },
	{ "client", hs_match_client },
	{ "server", hs_match_server },
	{ "port", hs_match_port },
	{ "pid", hs_match_pid },
	{ "state", match_state },
	{ "older-than", match_older_than },
	{ "namespace", hs_match_namespace },
	{ NULL },
};

const struct hs_listing hs_connections_listing = {
	.document = "connections",
	.noun = "connections",
	.fields = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.sorts = sorts,
	.orders = orders,
	.filters = filters,
	.rows = hs_connections_rows,
	.empty = "No live TCP connections.",
};

static int run(const struct hs_args *args)
{
	return hs_listing_run(&hs_connections_listing, args);
}

static const char *const outputs[] = { "table", "wide", "json", NULL };

static const char *const states[] = {
	"established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2", "close-wait",
	"last-ack",    "closing",  "time-wait",	   "closed",	 NULL,
};

static const struct hs_option options[] = {
	HS_LISTING_OPTIONS(outputs, sorts),
	HS_OPTION_NAME,
	HS_OPTION_CLIENT,
	HS_OPTION_SERVER,
	HS_OPTION_EITHER_PORT,
	HS_OPTION_PID,
	{ .name = "state", .kind = HS_OPTION_CHOICE, .filter = true, .value = "STATE",
	  .choices = states, .help = "either end is in this state" },
	HS_OPTION_FILTER("older-than", HS_OPTION_DURATION, "TIME", "began longer ago than this"),
	HS_OPTION_NAMESPACE,
	HS_OPTION_NOT_NEXT,
	HS_READING_OPTIONS,
	{ 0 },
};

static const struct hs_example examples[] = {
	{ "connections", "all sockets, those in trouble first" },
	{ "connections --name app.py --port 5432", "of one program to one service" },
	{ "connections --state close-wait --older-than 5m", "what somebody forgot to close" },
	{ NULL },
};

const struct hs_command hs_connections_command = {
	.name = "connections",
	.summary = "Show live connections with owner, age, RTT and retransmits",
	.details = "A row is a socket of this node, as in ss(8): a connection with both ends here\n"
		   "has two. PEER is > what it called, or < what called it.",
	.run = run,
	.options = options,
	.examples = examples,
};
