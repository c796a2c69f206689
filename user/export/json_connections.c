/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /api/v1/connections: live connections, in no order. */
#include <netinet/tcp.h>
#include <string.h>

#include "export/json_document.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* As in OpenTelemetry's network.connection.state. */
static const char *const state_names[] = {
	[TCP_ESTABLISHED] = "established",
	[TCP_SYN_SENT] = "syn_sent",
	[TCP_SYN_RECV] = "syn_received",
	[TCP_FIN_WAIT1] = "fin_wait_1",
	[TCP_FIN_WAIT2] = "fin_wait_2",
	[TCP_TIME_WAIT] = "time_wait",
	[TCP_CLOSE] = "closed",
	[TCP_CLOSE_WAIT] = "close_wait",
	[TCP_LAST_ACK] = "last_ack",
	[TCP_LISTEN] = "listen",
	[TCP_CLOSING] = "closing",
	[TCP_CLOSING + 1] = "syn_received", /* TCP_NEW_SYN_RECV: the same for everybody outside */
};

/* icsk_pending */
static const char *const timer_names[] = {
	[0] = "none", [1] = "retransmit", [3] = "probe", [5] = "tail_loss_probe", [6] = "reorder",
};

static void put_word(struct hs_json *json, const char *key, const char *const *words, size_t count,
		     unsigned index)
{
	if (index < count)
		hs_json_put_known_text(json, key, words[index]);
}

/* What stands for "not known" in a field of the kernel. */
enum unknown {
	UNKNOWN_NEVER,
	UNKNOWN_ZERO,     /* no sample yet */
	UNKNOWN_ALL_ONES, /* min_rtt_us before the first sample */
	UNKNOWN_INFINITE, /* TCP_INFINITE_SSTHRESH */
};

static const uint64_t unknown_values[] = {
	[UNKNOWN_ALL_ONES] = UINT32_MAX,
	[UNKNOWN_INFINITE] = 0x7fffffff,
};

static const struct field {
	const char *key;
	unsigned offset, size;
	unsigned per_second; /* 0: not a time */
	enum unknown unknown;
} fields[] = {
#define FIELD(member) offsetof(struct hs_tcp, member), sizeof(((struct hs_tcp *)0)->member)
	{ "bytes_acked", FIELD(bytes_acked), 0, UNKNOWN_NEVER },
	{ "bytes_received", FIELD(bytes_received), 0, UNKNOWN_NEVER },
	{ "segs_out", FIELD(segs_out), 0, UNKNOWN_NEVER },
	{ "segs_in", FIELD(segs_in), 0, UNKNOWN_NEVER },
	{ "srtt_seconds", FIELD(srtt_us), 1000000, UNKNOWN_ZERO },
	{ "rttvar_seconds", FIELD(rttvar_us), 1000000, UNKNOWN_ZERO },
	{ "min_rtt_seconds", FIELD(min_rtt_us), 1000000, UNKNOWN_ALL_ONES },
	{ "rto_seconds", FIELD(rto_us), 1000000, UNKNOWN_ZERO },
	{ "cwnd", FIELD(snd_cwnd), 0, UNKNOWN_NEVER },
	{ "ssthresh", FIELD(snd_ssthresh), 0, UNKNOWN_INFINITE },
	{ "snd_wnd_bytes", FIELD(snd_wnd), 0, UNKNOWN_NEVER },
	{ "rcv_wnd_bytes", FIELD(rcv_wnd), 0, UNKNOWN_NEVER },
	{ "mss_bytes", FIELD(mss), 0, UNKNOWN_NEVER },
	{ "unacked_bytes", FIELD(unacked_bytes), 0, UNKNOWN_NEVER },
	{ "unsent_bytes", FIELD(unsent_bytes), 0, UNKNOWN_NEVER },
	{ "unread_bytes", FIELD(unread_bytes), 0, UNKNOWN_NEVER },
	{ "last_sent_seconds", FIELD(last_sent_ms), 1000, UNKNOWN_NEVER },
	{ "last_received_seconds", FIELD(last_received_ms), 1000, UNKNOWN_NEVER },
	{ "last_ack_seconds", FIELD(last_ack_ms), 1000, UNKNOWN_NEVER },
	{ "busy_seconds", FIELD(busy_ms), 1000, UNKNOWN_NEVER },
	{ "rwnd_limited_seconds", FIELD(rwnd_limited_ms), 1000, UNKNOWN_NEVER },
	{ "sndbuf_limited_seconds", FIELD(sndbuf_limited_ms), 1000, UNKNOWN_NEVER },
	{ "user_timeout_seconds", FIELD(user_timeout_ms), 1000, UNKNOWN_NEVER },
	{ "retransmit_attempts", FIELD(retransmits), 0, UNKNOWN_NEVER },
	{ "probes", FIELD(probes_out), 0, UNKNOWN_NEVER },
	{ "backoff", FIELD(backoff), 0, UNKNOWN_NEVER },
#undef FIELD
};

static uint64_t field_value(const struct field *field, const struct hs_tcp *tcp)
{
	const unsigned char *at = (const unsigned char *)tcp + field->offset;

	if (field->size == sizeof(uint64_t))
		return *(const uint64_t *)(const void *)at;
	if (field->size == sizeof(uint32_t))
		return *(const uint32_t *)(const void *)at;
	return *at;
}

static void put_field(struct hs_json *json, const struct field *field, const struct hs_tcp *tcp)
{
	uint64_t value = field_value(field, tcp);

	if (field->unknown != UNKNOWN_NEVER && value == unknown_values[field->unknown])
		return;
	if (field->per_second)
		hs_json_put_seconds(json, field->key, value, field->per_second);
	else
		hs_json_put_number(json, field->key, value);
}

static void put_tcp(struct hs_json *json, const struct hs_tcp *tcp)
{
	uint64_t retransmits[HS_RETRANSMIT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		put_field(json, &fields[i], tcp);
	for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++)
		retransmits[kind] = tcp->retrans[kind];
	hs_json_put_retransmits(json, "retransmits", retransmits);
	put_word(json, "timer", timer_names, ARRAY_LEN(timer_names), tcp->pending_timer);
}

/* An end that is known by its accept() alone has no socket's figures yet. */
static bool has_tcp(const struct hs_end *end)
{
	static const struct hs_tcp none;

	return end->here && memcmp(&end->tcp, &none, sizeof(none));
}

static void put_socket(struct hs_json *json, const char *key, const struct hs_end *end)
{
	hs_json_open(json, key, '{');
	put_word(json, "state", state_names, ARRAY_LEN(state_names), end->state);
	hs_json_put_known_number(json, "pid", end->pid);
	hs_json_put_known_number(json, "tid", end->tid);
	hs_json_put_known_number(json, "inode", end->inode);
	hs_json_put_known_number(json, "cookie", end->cookie);
	if (has_tcp(end))
		put_tcp(json, &end->tcp);
	hs_json_close(json, '}');
}

static void put_end(struct hs_json *json, const struct hs_view *view,
		    const struct hs_connection *connection, enum hs_side side)
{
	const struct hs_end *end = &connection->end[side];
	const struct hs_edge *edge = connection->edge;
	struct hs_json_end shown = {
		.workload = end->workload,
		.address = connection->address[side],
		.port = connection->port[side],
		.pid = end->pid,
		.netns = end->netns,
		.comm = hs_json_comm(view, end->pid),
	};

	if (!shown.workload && edge)
		shown.workload = side == HS_CLIENT ? edge->key.client : edge->key.server;
	hs_json_put_end(json, hs_json_side[side], &shown);
}

/* The first end of this node that is still open says how the connection stands. */
static void put_state(struct hs_json *json, const struct hs_connection *connection)
{
	const struct hs_end *client = &connection->end[HS_CLIENT],
			    *server = &connection->end[HS_SERVER];
	const struct hs_end *end = client->here && !client->closed ? client : server;

	if (end->here)
		put_word(json, "state", state_names, ARRAY_LEN(state_names), end->state);
}

static void put_span(struct hs_json *json, const char *key, uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns && to_ns >= from_ns)
		hs_json_put_seconds(json, key, to_ns - from_ns, HS_NS_PER_SEC);
}

static void put_times(struct hs_json *json, const struct hs_view *view,
		      const struct hs_connection *connection)
{
	uint64_t start = connection->start_ns, established = connection->established_ns;
	uint64_t accepted = connection->end[HS_SERVER].accept_ns;

	hs_json_put_time(json, "start", &view->clock, start);
	hs_json_put_time(json, "established", &view->clock, established);
	hs_json_put_time(json, "accepted", &view->clock, accepted);
	put_span(json, "age_seconds", start ? start : established, hs_model_now(view->model));
	put_span(json, "connect_duration_seconds", start, established);
	put_span(json, "accept_delay_seconds", established, accepted);
}

/* Each direction as its sender knows it, acknowledged; else as its receiver does. */
static void put_direction(struct hs_json *json, const char *key, const struct hs_end *sender,
			  const struct hs_end *receiver)
{
	if (has_tcp(sender))
		hs_json_put_number(json, key, sender->tcp.bytes_acked);
	else if (has_tcp(receiver))
		hs_json_put_number(json, key, receiver->tcp.bytes_received);
}

static void put_amounts(struct hs_json *json, const struct hs_end ends[HS_SIDES])
{
	uint64_t segments = 0;

	put_direction(json, "sent_bytes", &ends[HS_CLIENT], &ends[HS_SERVER]);
	put_direction(json, "received_bytes", &ends[HS_SERVER], &ends[HS_CLIENT]);
	for (int side = 0; side < HS_SIDES; side++)
		segments += ends[side].tcp.total_retrans;
	if (has_tcp(&ends[HS_CLIENT]) || has_tcp(&ends[HS_SERVER]))
		hs_json_put_number(json, "retransmitted_segments", segments);
}

static void put_connection(struct hs_json *json, const struct hs_view *view,
			   const struct hs_connection *connection)
{
	hs_json_open(json, NULL, '{');
	put_end(json, view, connection, HS_CLIENT);
	put_end(json, view, connection, HS_SERVER);
	put_state(json, connection);
	put_times(json, view, connection);
	put_amounts(json, connection->end);
	hs_json_open(json, "ends", '{');
	for (int side = 0; side < HS_SIDES; side++) {
		if (connection->end[side].here)
			put_socket(json, hs_json_side[side], &connection->end[side]);
	}
	hs_json_close(json, '}');
	hs_json_close(json, '}');
}

int hs_json_connections(struct hs_json *json, const struct hs_view *view)
{
	const struct hs_connection *connection = NULL;

	hs_json_open(json, "items", '[');
	while ((connection = hs_model_next_connection(view->model, connection)))
		put_connection(json, view, connection);
	hs_json_close(json, ']');
	return 0;
}
