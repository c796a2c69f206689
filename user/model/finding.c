// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Findings: verdicts grouped, each with the evidence and the timeline of its latest connection.
 */
#include "model/finding.h"

#include <errno.h>
#include <stdlib.h>

#include "model/private.h"

#define STUCK_NS (2 * SECOND) /* what hangs for less is shown by nobody */

enum { SYN_SENT = 2, CLOSE_WAIT = 8 };

/* ---- the table ---- */

static uint32_t hash_text(uint32_t hash, const char *text)
{
	for (; *text; text++) /* FNV-1a */
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return (hash ^ '/') * 16777619u;
}

static uint32_t id_of(const struct hs_finding_key *key)
{
	char port[16];
	uint32_t hash = 2166136261u;

	snprintf(port, sizeof(port), "%u", key->server_port);
	hash = hash_text(hash, key->client->identity.name);
	hash = hash_text(hash, key->server->identity.name);
	hash = hash_text(hash, port);
	hash = hash_text(hash, hs_reason_name(key->reason));
	hash = hash_text(hash, hs_ended_by_name(key->ended_by));
	return hash_text(hash, hs_cause_name(key->cause));
}

static void clear_ends(struct hs_model *model, struct hs_finding *finding)
{
	hs_workload_unref(model, finding->end[HS_CLIENT].workload);
	hs_workload_unref(model, finding->end[HS_SERVER].workload);
	memset(finding->end, 0, sizeof(finding->end));
}

static void forget(struct hs_model *model, struct hs_finding *finding)
{
	HASH_DEL(model->findings, finding);
	hs_workload_unref(model, finding->key.client);
	hs_workload_unref(model, finding->key.server);
	clear_ends(model, finding);
	free(finding);
}

static void make_room(struct hs_model *model)
{
	struct hs_finding *finding = model->findings;

	if (HASH_COUNT(model->findings) < model->config.max_findings)
		return;
	while (finding->stuck && finding->hh.next)
		finding = finding->hh.next;
	model->counters.dropped[HS_MODEL_LOSS_FINDING]++;
	forget(model, finding);
}

static struct hs_finding *find(struct hs_model *model, const struct hs_finding_key *key)
{
	struct hs_finding *finding;

	HASH_FIND(hh, model->findings, key, sizeof(*key), finding);
	return finding;
}

static struct hs_finding *make(struct hs_model *model, const struct hs_finding_key *key)
{
	struct hs_finding *finding = calloc(1, sizeof(*finding));

	if (!finding)
		return NULL;
	make_room(model);
	finding->key = *key;
	hs_workload_ref(key->client);
	hs_workload_ref(key->server);
	finding->id = id_of(key);
	finding->first_seen_ns = model->now_ns;
	HASH_ADD(hh, model->findings, key, sizeof(finding->key), finding);
	return finding;
}

/* It moves to the end: what was not seen for longest comes first. */
static struct hs_finding *get(struct hs_model *model, const struct hs_finding_key *key)
{
	struct hs_finding *finding = find(model, key);

	if (!finding)
		return make(model, key);
	HASH_DEL(model->findings, finding);
	HASH_ADD(hh, model->findings, key, sizeof(finding->key), finding);
	return finding;
}

static void key_of(struct hs_finding_key *key, struct hs_workload *const workload[HS_SIDES], uint16_t port,
		   const struct hs_verdict *verdict)
{
	memset(key, 0, sizeof(*key));
	key->client = workload[HS_CLIENT];
	key->server = workload[HS_SERVER];
	key->server_port = port;
	key->reason = verdict->reason;
	key->ended_by = verdict->ended_by;
	key->cause = verdict->cause;
}

/* ---- evidence ---- */

static struct hs_evidence *add(struct hs_finding *finding, const char *signal, enum hs_side side, enum hs_evidence_unit unit)
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
	uint64_t since = c->connection->start_ns ? c->connection->start_ns : c->connection->created_ns;

	for (size_t i = 0; i < sizeof(counter_signals) / sizeof(counter_signals[0]); i++)
		if (counter_signals[i].counter != HS_COUNTER_LOCKED_ICMPS || finding->key.cause == HS_CAUSE_REJECTED)
			add_count(finding, counter_signals[i].signal, side,
				  hs_counter_moved(c->model, c->netns[side], counter_signals[i].counter, since));
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

static void collect_evidence(struct hs_finding *finding, const struct hs_case *c)
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

static void make_timeline(struct hs_finding *finding, const struct hs_case *c)
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

/* ---- from verdicts ---- */

static void take_example(struct hs_finding *finding, const struct hs_case *c)
{
	const struct hs_connection *connection = c->connection;

	finding->start_ns = connection->start_ns;
	finding->end_ns = connection->closed_ns;
	finding->error = connection->error;
	clear_ends(c->model, finding);
	for (int side = 0; side < HS_SIDES; side++) {
		const struct hs_end *end = &connection->end[side];
		uint32_t pid = end->pid ? end->pid : side == HS_SERVER && c->listener ? c->listener->pid : 0;

		hs_log_end(c->model, &finding->end[side], connection->address[side], connection->port[side], pid,
			   end->here ? end->netns : c->netns[side], NULL);
		finding->has_tcp[side] = end->here;
		finding->state[side] = end->state;
		finding->tcp[side] = end->tcp;
	}
	collect_evidence(finding, c);
	make_timeline(finding, c);
}

static struct hs_finding *take(struct hs_case *c, const struct hs_verdict *verdict)
{
	struct hs_workload *workload[HS_SIDES];
	struct hs_finding_key key;
	struct hs_finding *finding;

	hs_ends(c->model, c->connection, workload);
	key_of(&key, workload, c->connection->port[HS_SERVER], verdict);
	finding = get(c->model, &key);
	if (finding) {
		finding->stage = verdict->stage;
		finding->confidence = verdict->confidence;
		finding->last_seen_ns = c->model->now_ns;
		take_example(finding, c);
	}
	hs_workload_unref(c->model, workload[HS_CLIENT]);
	hs_workload_unref(c->model, workload[HS_SERVER]);
	return finding;
}

/* It was told while it hung; now that it has failed, it is one incident and not two. */
static void take_back_stuck(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_finding *finding = model->findings;

	while (finding && finding->id != connection->stuck_id)
		finding = finding->hh.next;
	connection->stuck_id = 0;
	if (finding && finding->stuck)
		finding->stuck--;
	if (finding && !--finding->count)
		forget(model, finding);
}

struct hs_verdict hs_finding_connect(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_verdict verdict;
	struct hs_finding *finding;
	struct hs_case c;

	hs_case_make(model, connection, &c);
	verdict = hs_verdict_of_connect(&c);
	if (connection->stuck_id)
		take_back_stuck(model, connection);
	finding = take(&c, &verdict);
	if (finding)
		finding->count++;
	return verdict;
}

/* An established connection has failed: that is one of its edge's failures, and a finding. */
static void fail(struct hs_case *c, struct hs_connection *connection, const struct hs_verdict *verdict)
{
	struct hs_model *model = c->model;
	struct hs_workload *workload[HS_SIDES];
	struct hs_finding *finding;

	connection->failed = true;
	if (connection->stuck_id)
		take_back_stuck(model, connection);
	finding = take(c, verdict);
	if (finding)
		finding->count++;
	hs_ends(model, connection, workload);
	hs_failures_add(model, &hs_edge_get(model, workload[HS_CLIENT], workload[HS_SERVER],
					    connection->port[HS_SERVER])->connection_failures,
			verdict);
	hs_workload_unref(model, workload[HS_CLIENT]);
	hs_workload_unref(model, workload[HS_SERVER]);
}

#define REJECTED_NS (SECOND / 50)

/* Its SYN was dropped by a rule, and an ICMP error came to some socket there inside a call: to this one, then. */
static bool was_rejected(struct hs_model *model, const struct hs_connection *connection, const struct hs_sender *from)
{
	const struct hs_end *client = &connection->end[HS_CLIENT];

	if (strncmp(from->drop.reason, "NETFILTER", 9))
		return false;
	if (model->config.ask_counters && client->pid && hs_counters_read_ns(model, client->netns) < model->now_ns)
		model->config.ask_counters(model->config.introduce_arg, client->netns, client->pid);
	return hs_counter_moved(model, client->netns, HS_COUNTER_LOCKED_ICMPS, connection->start_ns);
}

/*
 * What this node answers by ICMP comes back inside connect(), and a client that does not block asks for the
 * error itself: then the socket closes without one. But the answer was seen as it was sent; where the kernel
 * does not tell that (by IPv6, or in versions without this tracepoint), the drop of the SYN.
 */
int hs_error_unseen(struct hs_model *model, const struct hs_connection *connection)
{
	enum hs_side of_client;
	const struct hs_signals *signals =
		hs_signals_find(model, connection->address[HS_CLIENT], connection->port[HS_CLIENT],
				connection->address[HS_SERVER], connection->port[HS_SERVER], &of_client);
	const struct hs_sender *from = signals ? &signals->from[of_client] : NULL;

	if (!signals || signals->seen_ns < connection->start_ns ||
	    connection->closed_ns > connection->start_ns + REJECTED_NS)
		return 0;
	if (from->icmp_error)
		return from->icmp_error;
	if (!strcmp(from->drop.reason, "IP_INNOROUTES"))
		return ENETUNREACH;
	return was_rejected(model, connection, from) ? ECONNREFUSED : 0;
}

void hs_finding_close(struct hs_model *model, struct hs_connection *connection, enum hs_side side, uint8_t old_state)
{
	const struct hs_end *end = &connection->end[side];
	struct hs_verdict verdict;
	struct hs_case c;

	if (connection->failed || hs_is_own(model, connection) ||
	    (!end->tcp.error && end->tcp.last_sent_ms < 1000 && !(end->closer_exit & HS_CLOSER_EXITING)))
		return; /* the other end has told it; or there is nothing to look into */
	hs_case_make(model, connection, &c);
	verdict = hs_verdict_of_close(&c, side, old_state);
	if (!verdict.reason)
		return;
	if (verdict.ended_by == HS_ENDED_PENDING)
		connection->waited = true;
	else
		fail(&c, connection, &verdict);
}

void hs_finding_abandoned(struct hs_model *model, struct hs_connection *connection, enum hs_side side)
{
	struct hs_verdict verdict;
	struct hs_case c;

	if (connection->failed || hs_is_own(model, connection))
		return;
	hs_case_make(model, connection, &c);
	verdict = hs_verdict_of_abandoned(&c, side);
	fail(&c, connection, &verdict);
}

void hs_finding_waited(struct hs_model *model, struct hs_connection *connection)
{
	const struct hs_end *server = &connection->end[HS_SERVER];
	struct hs_verdict verdict;
	struct hs_case c;

	connection->waited = false;
	if (connection->failed || server->closed || server->closer)
		return;
	hs_case_make(model, connection, &c);
	if (!c.server_is_here)
		return; /* nobody knows whether it ever answers */
	verdict = hs_verdict_of_wait(&c);
	fail(&c, connection, &verdict);
}

struct hs_verdict hs_finding_error(struct hs_model *model, const struct hs_ev_error *event,
				   struct hs_workload *workload[HS_SIDES])
{
	const struct hs_ev_socket *socket = &event->socket;
	struct hs_verdict verdict = hs_verdict_of_error(event->error, socket->tuple.local_port);
	struct hs_finding_key key;
	struct hs_finding *finding;

	key_of(&key, workload, socket->tuple.remote_port, &verdict);
	finding = get(model, &key);
	if (!finding)
		return verdict;
	finding->count++;
	finding->stage = verdict.stage;
	finding->confidence = verdict.confidence;
	finding->last_seen_ns = finding->end_ns = socket->event.time_ns;
	finding->error = event->error;
	clear_ends(model, finding);
	hs_log_end(model, &finding->end[HS_CLIENT], socket->tuple.local, socket->tuple.local_port, socket->pid,
		   socket->tuple.netns, NULL);
	hs_log_end(model, &finding->end[HS_SERVER], socket->tuple.remote, socket->tuple.remote_port, 0, 0, NULL);
	finding->evidence_count = finding->timeline_count = 0;
	add_text(finding, "connect_returned", HS_CLIENT, strerrorname_np(event->error) ?: "an unknown error");
	add_moment(finding, socket->event.time_ns, HS_MOMENT_ENDED, HS_CLIENT, event->error);
	return verdict;
}

/* ---- what hangs ---- */

/* Connections that nobody accepts, though their server is on this node. */
static bool is_unaccepted(struct hs_model *model, const struct hs_connection *connection)
{
	const struct hs_end *client = &connection->end[HS_CLIENT];
	const struct hs_listener *listener;

	if (!hs_is_met(model, client) || connection->end[HS_SERVER].pid || connection->older ||
	    !connection->established_ns || connection->established_ns + STUCK_NS > model->now_ns)
		return false;
	listener = hs_listener_reached(model, client->netns, connection->address[HS_SERVER],
				       connection->port[HS_SERVER]);
	return listener && listener->backlog;
}

static bool is_slow(const struct hs_model *model, const struct hs_end *end)
{
	const struct hs_tcp *tcp = &end->tcp;

	if (!hs_is_met(model, end))
		return false;
	if (end->state == SYN_SENT)
		return tcp->retransmits;
	return (tcp->unacked_bytes && (tcp->retransmits || !tcp->snd_wnd || tcp->pending_timer == 3)) ||
	       (tcp->unread_bytes > 1 && tcp->last_received_ms >= STUCK_NS / 1000000);
}

static bool is_half_closed(const struct hs_model *model, const struct hs_end *end)
{
	return hs_is_met(model, end) && end->state == CLOSE_WAIT;
}

/* Cheap, for every connection: is it worth a closer look? */
static bool looks_stuck(struct hs_model *model, struct hs_connection *connection)
{
	const struct hs_end *client = &connection->end[HS_CLIENT], *server = &connection->end[HS_SERVER];
	bool slow = is_slow(model, client) || is_slow(model, server) || is_unaccepted(model, connection) ||
		hs_is_pooled_out(model, connection);

	if (connection->own || connection->failed || (!slow && !is_half_closed(model, client) && !is_half_closed(model, server))) {
		connection->stuck_ns = 0;
		return false;
	}
	if (!connection->stuck_ns)
		connection->stuck_ns = model->now_ns;
	return connection->stuck_ns + (slow ? STUCK_NS : model->config.close_wait_ns) <= model->now_ns;
}

static void look_at(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_verdict verdict = {};
	struct hs_finding *finding;
	struct hs_case c;

	connection->stuck = HS_CAUSE_UNKNOWN;
	if (!looks_stuck(model, connection) || hs_is_own(model, connection))
		return;
	hs_case_make(model, connection, &c);
	verdict = hs_verdict_of_stuck(&c);
	if (!verdict.reason)
		return;
	finding = take(&c, &verdict);
	if (!finding)
		return;
	if (connection->stuck_id != finding->id) {
		if (connection->stuck_id)
			take_back_stuck(model, connection); /* more is known now */
		finding->count++;
	}
	finding->stuck++;
	connection->stuck_id = finding->id;
	connection->stuck = verdict.cause;
	if (connection->edge) {
		connection->edge->stuck[verdict.cause]++;
		connection->edge->stuck_seen |= 1ull << verdict.cause;
	}
}

void hs_finding_pass_end(struct hs_model *model)
{
	struct hs_connection *first, *next;
	struct hs_finding *finding;
	struct hs_edge *edge;

	for (finding = model->findings; finding; finding = finding->hh.next)
		finding->stuck = 0;
	for (edge = model->edges; edge; edge = edge->hh.next)
		if (edge->stuck_seen)
			memset(edge->stuck, 0, sizeof(edge->stuck));
	hs_pools_look(model);
	HASH_ITER(hh, model->connections, first, next)
		for (struct hs_connection *c = first; c; c = c->same_tuple)
			look_at(model, c);
}

void hs_status_feed(struct hs_model *model, const struct hs_ev_status *event)
{
	model->statuses[model->status_next++ % HS_STATUSES] = *event;
}

void hs_finding_free_all(struct hs_model *model)
{
	while (model->findings)
		forget(model, model->findings);
}

const struct hs_finding *hs_model_findings(const struct hs_model *model)
{
	return model->findings;
}
