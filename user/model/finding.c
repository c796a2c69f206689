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
	hs_evidence_collect(finding, c);
	hs_timeline_make(finding, c);
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

#define REJECTED_NS (SECOND / 5) /* sooner than anybody who tries two addresses gives up one */

/* Its SYN was dropped by a rule, and an ICMP error came to some socket there inside a call: to this one, then. */
static bool was_rejected(struct hs_model *model, const struct hs_connection *connection, const struct hs_sender *from)
{
	const struct hs_end *client = &connection->end[HS_CLIENT];

	if (!hs_has_prefix(from->drop.reason, "NETFILTER"))
		return false;
	if (model->config.ask_counters && client->pid && hs_model_counters_ns(model, client->netns) < model->now_ns)
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
	hs_evidence_of_error(finding, event);
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
