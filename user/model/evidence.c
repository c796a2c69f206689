// SPDX-License-Identifier: GPL-2.0-or-later
/* What shows why a connection failed: evidence with values, and what happened in which order. */
#include "model/finding.h"
#include "model/private.h"

static struct hs_evidence *add(struct hs_finding *finding, const char *signal, enum hs_side side,
			       enum hs_evidence_unit unit)
{
	static struct hs_evidence overflow;
	struct hs_evidence *evidence = finding->evidence_count < HS_EVIDENCE_MAX ?
		&finding->evidence[finding->evidence_count++] : &overflow;

	*evidence = (struct hs_evidence){ .signal = signal, .side = side, .unit = unit };
	return evidence;
}

/* What is 0 says nothing. */
static void add_number(struct hs_finding *finding, const char *signal, enum hs_side side, enum hs_evidence_unit unit,
		       double number)
{
	if (number)
		add(finding, signal, side, unit)->number = number;
}

static void add_count(struct hs_finding *finding, const char *signal, enum hs_side side, uint64_t count)
{
	add_number(finding, signal, side, HS_EVIDENCE_NONE, count);
}

static void add_text(struct hs_finding *finding, const char *signal, enum hs_side side, const char *text)
{
	struct hs_evidence *evidence = add(finding, signal, side, HS_EVIDENCE_TEXT);

	snprintf(evidence->text, sizeof(evidence->text), "%.*s", (int)sizeof(evidence->text) - 1, text);
}

static void add_drops(struct hs_finding *finding, const struct hs_case *c, enum hs_side sender)
{
	const struct hs_sender *from = c->from[sender];
	bool egress = from->drop.direction == HS_DIRECTION_EGRESS;
	enum hs_side where = egress ? sender : hs_other_side(sender);

	if (from->icmp_error)
		add_text(finding, "icmp_sent", where, from->icmp);
	if (!from->drops[0] && !from->drops[1])
		return;
	add_count(finding, egress ? "dropped_egress" : "dropped_ingress", where, from->drops[!egress]);
	add_text(finding, "drop_reason", where, from->drop.reason);
	add_count(finding, "drop_namespace", where, from->drop.tuple.netns);
	add_number(finding, "drop_length", where, HS_EVIDENCE_BYTES, from->drop.length);
}

static void add_handshake(struct hs_finding *finding, const struct hs_case *c)
{
	const struct hs_sender *server = c->from[HS_SERVER];
	const struct hs_tcp *tcp = &c->connection->end[HS_CLIENT].tcp;
	uint32_t again = tcp->retrans[HS_RETRANSMIT_SYN] > c->from[HS_CLIENT]->syns_again ?
		tcp->retrans[HS_RETRANSMIT_SYN] : c->from[HS_CLIENT]->syns_again;

	add_count(finding, "syn_retransmits", HS_CLIENT, again);
	if (c->from[HS_CLIENT]->send_error)
		add_text(finding, "send_error", HS_CLIENT, strerrorname_np(c->from[HS_CLIENT]->send_error) ?: "unknown");
	add_count(finding, "syn_ack_retransmits", HS_SERVER, server->syn_acks_again);
	add_count(finding, "third_ack_dropped", HS_SERVER, server->syn_acks_acked);
}

static void add_listener(struct hs_finding *finding, const struct hs_case *c)
{
	const struct hs_listener *listener = c->listener;

	if (!listener || (finding->stage == HS_STAGE_TRANSFER && finding->key.cause != HS_CAUSE_SERVER_THINKING))
		return;
	add(finding, "backlog", HS_SERVER, HS_EVIDENCE_NONE)->number = listener->backlog;
	add(finding, "backlog_limit", HS_SERVER, HS_EVIDENCE_NONE)->number = listener->backlog_limit;
	if (listener->backlog)
		add_number(finding, "oldest_unaccepted", HS_SERVER, HS_EVIDENCE_SECONDS, listener->oldest_wait_ns / 1e9);
}

static const struct {
	enum hs_counter counter;
	const char *signal;
} counter_signals[] = {
	{ HS_COUNTER_LISTEN_OVERFLOWS, "listen_overflows" },
	{ HS_COUNTER_SYN_QUEUE_DROPS, "syn_queue_drops" },
	{ HS_COUNTER_SYN_QUEUE_COOKIES, "syn_cookies_needed" },
	{ HS_COUNTER_RP_FILTER, "rp_filter_drops" },
	{ HS_COUNTER_TIMESTAMP_REJECTED, "timestamps_rejected" },
	{ HS_COUNTER_BACKLOG_DROPS, "socket_backlog_drops" },
	{ HS_COUNTER_RECEIVE_QUEUE_DROPS, "receive_queue_drops" },
	{ HS_COUNTER_MEMORY_PRESSURES, "memory_pressures" },
	{ HS_COUNTER_RETRANSMIT_FAILS, "retransmit_fails" },
	{ HS_COUNTER_CONNTRACK_DROPS, "conntrack_drops" },
	{ HS_COUNTER_CPU_BACKLOG_DROPS, "cpu_backlog_drops" },
	{ HS_COUNTER_LOCKED_ICMPS, "icmp_in_call" },
};

static void add_counters(struct hs_finding *finding, const struct hs_case *c, enum hs_side side)
{
	for (size_t i = 0; i < sizeof(counter_signals) / sizeof(counter_signals[0]); i++)
		if (counter_signals[i].counter != HS_COUNTER_LOCKED_ICMPS || finding->key.cause == HS_CAUSE_REJECTED)
			add_count(finding, counter_signals[i].signal, side,
				  hs_case_moved(c, side, counter_signals[i].counter));
}

static void add_end(struct hs_finding *finding, const struct hs_case *c, enum hs_side side)
{
	const struct hs_end *end = &c->connection->end[side];
	const struct hs_tcp *tcp = &end->tcp;

	add_count(finding, "resets_received", side, c->from[side]->resets_received);
	add_count(finding, "resets_sent", side, c->from[side]->resets_sent);
	if (!end->here)
		return;
	add_number(finding, "user_timeout", side, HS_EVIDENCE_SECONDS, tcp->user_timeout_ms / 1e3);
	if (finding->stage == HS_STAGE_CONNECT)
		return; /* the SYN is all there is */
	add_count(finding, "rto_retransmits", side, tcp->retrans[HS_RETRANSMIT_RTO]);
	add_number(finding, "unacked", side, HS_EVIDENCE_BYTES, tcp->unacked_bytes);
	if (tcp->unacked_bytes && !tcp->snd_wnd)
		add(finding, "send_window", side, HS_EVIDENCE_BYTES)->number = 0;
	add_number(finding, "unread", side, HS_EVIDENCE_BYTES, hs_unread_bytes(end));
	add_count(finding, "keepalive_probes", side, tcp->unacked_bytes ? 0 : tcp->probes_out);
	if (tcp->bytes_received)
		add_number(finding, "last_received", side, HS_EVIDENCE_SECONDS, tcp->last_received_ms / 1e3);
	if (tcp->bytes_acked)
		add_number(finding, "last_sent", side, HS_EVIDENCE_SECONDS, tcp->last_sent_ms / 1e3);
	if (end->close & HS_CLOSE_LINGER)
		add_text(finding, "closed_with", side, "SO_LINGER 0");
	if (end->close & HS_CLOSE_UNREAD)
		add_text(finding, "closed_with", side, "unread data");
	if (!(end->closer_exit & HS_CLOSER_EXITING))
		return;
	add_count(finding, "exit_signal", side, end->closer_exit & 0x7f);
	if (!(end->closer_exit & 0x7f))
		add(finding, "exit_status", side, HS_EVIDENCE_NONE)->number = (end->closer_exit >> 8) & 0xff;
	add_count(finding, "oom_killed", side, !!(end->closer_exit & HS_CLOSER_OOM));
}

/* What somebody waits for an answer to. */
static void add_pending(struct hs_finding *finding, const struct hs_case *c)
{
	const struct hs_call *call = hs_talk_pending(c->connection);
	char route[HS_ROUTE_LEN], text[HS_OPERATION_LEN + HS_ROUTE_LEN];

	if (!call)
		return;
	hs_route_of_call(c->model, call, route);
	snprintf(text, sizeof(text), "%s%s%s", call->operation, *call->operation && *route ? " " : "", route);
	if (*text)
		add_text(finding, "pending_request", HS_SERVER, text);
	add_number(finding, "pending_for", HS_SERVER, HS_EVIDENCE_SECONDS, hs_seconds(call->request_ns, c->model->now_ns));
}

static void add_pool(struct hs_finding *finding, const struct hs_case *c)
{
	if (!hs_is_pooled_out(c->model, c->connection))
		return;
	add_count(finding, "pool_connections", HS_CLIENT, c->connection->pool_connections);
	add_count(finding, "pool_waiting", HS_CLIENT, c->connection->pool_waiting);
}

static void add_status(struct hs_finding *finding, const struct hs_case *c)
{
	char state[2] = "";

	if (!c->status)
		return;
	state[0] = c->status->state;
	add_text(finding, "process_state", c->status_side, state);
	add_count(finding, "open_files", c->status_side, c->status->fds);
	add_count(finding, "open_files_limit", c->status_side, c->status->fd_limit);
}

void hs_evidence_collect(struct hs_finding *finding, const struct hs_case *c)
{
	finding->evidence_count = 0;
	add_pool(finding, c);
	add_pending(finding, c);
	add_drops(finding, c, HS_CLIENT);
	add_drops(finding, c, HS_SERVER);
	add_handshake(finding, c);
	add_listener(finding, c);
	add_end(finding, c, HS_CLIENT);
	add_end(finding, c, HS_SERVER);
	add_status(finding, c);
	add_counters(finding, c, HS_CLIENT);
	if (c->netns[HS_SERVER] != c->netns[HS_CLIENT])
		add_counters(finding, c, HS_SERVER);
}

/* ---- timeline ---- */

static struct hs_moment *add_moment(struct hs_finding *finding, uint64_t time_ns, enum hs_moment_type type,
				    enum hs_side side, uint32_t number)
{
	struct hs_moment *moment;
	size_t at = finding->timeline_count;

	if (!time_ns || at == HS_TIMELINE_MAX)
		return NULL;
	while (at && finding->timeline[at - 1].time_ns > time_ns)
		at--;
	moment = &finding->timeline[at];
	memmove(moment + 1, moment, (finding->timeline_count++ - at) * sizeof(*moment));
	*moment = (struct hs_moment){ .time_ns = time_ns, .type = type, .side = side, .number = number };
	return moment;
}

static void add_signal_moments(struct hs_finding *finding, const struct hs_case *c)
{
	for (size_t i = 0; c->signals && i < c->signals->moment_count; i++) {
		const struct hs_moment *from = &c->signals->moments[i];
		struct hs_moment *to = NULL;

		if (from->time_ns >= c->connection->start_ns)
			to = add_moment(finding, from->time_ns, from->type,
					from->side == c->of_client ? HS_CLIENT : HS_SERVER, from->number);
		if (to)
			memcpy(to->text, from->text, sizeof(to->text));
	}
}

void hs_timeline_make(struct hs_finding *finding, const struct hs_case *c)
{
	const struct hs_connection *connection = c->connection;
	const struct hs_end *server = &connection->end[HS_SERVER];

	finding->timeline_count = 0;
	add_moment(finding, connection->start_ns, HS_MOMENT_SYN_SENT, HS_CLIENT, 0);
	add_moment(finding, connection->established_ns, HS_MOMENT_ESTABLISHED,
		   connection->end[HS_CLIENT].here ? HS_CLIENT : HS_SERVER, 0);
	add_moment(finding, server->accept_ns, HS_MOMENT_ACCEPTED, HS_SERVER, 0);
	for (int side = 0; side < HS_SIDES; side++) {
		const struct hs_end *end = &connection->end[side];

		if (end->closer)
			add_moment(finding, end->closed_ns, HS_MOMENT_CLOSED, side, end->closer_exit & 0x7f);
	}
	add_signal_moments(finding, c);
	if (finding->end_ns)
		add_moment(finding, finding->end_ns, HS_MOMENT_ENDED, HS_NO_SIDE, finding->error);
	else
		add_moment(finding, c->model->now_ns, HS_MOMENT_NOW, HS_NO_SIDE, 0);
}

/* connect() failed before a SYN was made: there is no connection. */
void hs_evidence_of_error(struct hs_finding *finding, const struct hs_ev_error *event)
{
	finding->evidence_count = finding->timeline_count = 0;
	add_text(finding, "connect_returned", HS_CLIENT, strerrorname_np(event->error) ?: "an unknown error");
	add_moment(finding, event->socket.event.time_ns, HS_MOMENT_ENDED, HS_CLIENT, event->error);
}
