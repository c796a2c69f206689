// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From connections to edges. A connection gives its edge only what it has not given yet, so
 * that it may be accounted at any time and each thing is counted once, whichever ends are here.
 */
#include "model/private.h"

bool hs_is_own(struct hs_model *model, const struct hs_connection *connection)
{
	const struct hs_end *client = &connection->end[HS_CLIENT], *server = &connection->end[HS_SERVER];
	const uint8_t *address = connection->address[HS_SERVER];
	uint16_t port = connection->port[HS_SERVER];
	const struct hs_listener *listener = NULL;
	uint32_t self = model->config.self_pid;

	if (!self)
		return false;
	if (connection->own || client->pid == self || server->pid == self)
		return true;
	if (client->here)
		listener = hs_listener_reached(model, client->netns, address, port);
	else if (!server->pid) /* not accepted yet */
		listener = hs_listener_find(model, server->netns, address, port);
	return listener && listener->own;
}

/* A name that its address gets later is that of later connections. */
static struct hs_workload *named_before(const struct hs_connection *connection)
{
	struct hs_workload *server = connection->edge ? connection->edge->key.server : NULL;

	return server && (server->kind == HS_WORKLOAD_ADDRESS || server->kind == HS_WORKLOAD_DNS) ? server : NULL;
}

static struct hs_workload *server_of(struct hs_model *model, const struct hs_connection *connection)
{
	const struct hs_end *client = &connection->end[HS_CLIENT], *server = &connection->end[HS_SERVER];
	const uint8_t *address = connection->address[HS_SERVER];
	uint16_t port = connection->port[HS_SERVER];
	const struct hs_listener *listener;

	if (server->workload)
		return hs_workload_ref(server->workload);
	listener = server->here ? hs_listener_find(model, server->netns, address, port) :
				  hs_listener_reached(model, client->netns, address, port);
	if (listener && listener->workload)
		return hs_workload_ref(listener->workload);
	if (named_before(connection))
		return hs_workload_ref(named_before(connection));
	return hs_workload_of_server(model, address, client->pid, connection->start_ns);
}

void hs_ends(struct hs_model *model, const struct hs_connection *connection,
	     struct hs_workload *workload[HS_SIDES])
{
	const struct hs_end *client = &connection->end[HS_CLIENT];

	workload[HS_CLIENT] = client->workload ? hs_workload_ref(client->workload) :
		hs_workload_of_address(model, connection->address[HS_CLIENT]);
	workload[HS_SERVER] = server_of(model, connection);
}

/*
 * What was accounted before stays with the edge that got it: that is right while the ends are
 * what they were, and close enough when an end on this node showed late.
 */
static void attribute(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_workload *workload[HS_SIDES];

	if (connection->accounted.active)
		connection->edge->active--;
	if (connection->edge)
		connection->edge->references--;
	hs_ends(model, connection, workload);
	connection->edge = hs_edge_get(model, workload[HS_CLIENT], workload[HS_SERVER],
				       connection->port[HS_SERVER]);
	connection->edge->references++;
	if (connection->accounted.active)
		connection->edge->active++;
	hs_workload_unref(model, workload[HS_CLIENT]);
	hs_workload_unref(model, workload[HS_SERVER]);
}

/* Payload from one side to the other: as the sender had it acknowledged, else as it arrived. */
static uint64_t bytes_from(const struct hs_connection *connection, enum hs_side side)
{
	const struct hs_end *sender = &connection->end[side], *receiver = &connection->end[hs_other_side(side)];

	return sender->here ? sender->tcp.bytes_acked : receiver->tcp.bytes_received;
}

static void account_bytes(struct hs_connection *connection)
{
	uint64_t *total[HS_SIDES] = { &connection->edge->sent_bytes, &connection->edge->received_bytes };

	for (int side = 0; side < HS_SIDES; side++) {
		uint64_t bytes = bytes_from(connection, side), *done = &connection->accounted.bytes[side];

		if (bytes > *done) {
			*total[side] += bytes - *done;
			*done = bytes;
		}
	}
}

static void account_retransmits(struct hs_connection *connection)
{
	for (int side = 0; side < HS_SIDES; side++) {
		for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++) {
			uint32_t count = connection->end[side].tcp.retrans[kind];
			uint32_t *done = &connection->accounted.retrans[side][kind];

			if (count > *done)
				connection->edge->retransmits[side][kind] += count - *done;
			*done = count; /* untraced may fall back when a hook caught up */
		}
	}
}

/* A reset counts where it arrived; where its receiver is not here, when it was sent. */
static void account_resets(struct hs_connection *connection)
{
	for (int sender = 0; sender < HS_SIDES; sender++) {
		const struct hs_end *from = &connection->end[sender];
		const struct hs_end *to = &connection->end[hs_other_side(sender)];
		uint8_t sent = from->resets_sent > from->tcp.resets_sent ? from->resets_sent : from->tcp.resets_sent;
		uint8_t count = to->here ? to->tcp.resets_received : sent;
		uint8_t *done = &connection->accounted.resets[sender];

		if (count > *done) {
			connection->edge->resets[sender] += count - *done;
			*done = count;
		}
	}
}

static void account_handshake(struct hs_connection *connection)
{
	struct hs_accounted *accounted = &connection->accounted;
	const struct hs_end *client = &connection->end[HS_CLIENT];

	if (connection->established && !connection->older && !accounted->connect) {
		accounted->connect = true;
		connection->edge->connects++;
	}
	if (client->established_ns && connection->start_ns && !accounted->connect_duration) {
		accounted->connect_duration = true;
		hs_histogram_add(&connection->edge->connect_duration, &hs_buckets_handshake,
				 hs_seconds(connection->start_ns, client->established_ns));
	}
}

static void account_accept(struct hs_model *model, struct hs_connection *connection)
{
	const struct hs_end *server = &connection->end[HS_SERVER];
	struct hs_listener *listener;
	double delay;

	if (!server->accept_ns || !server->established_ns || connection->accounted.accept_delay)
		return;
	connection->accounted.accept_delay = true;
	delay = hs_seconds(server->established_ns, server->accept_ns);
	hs_histogram_add(&connection->edge->accept_delay, &hs_buckets_handshake, delay);
	listener = hs_listener_find(model, server->netns, connection->address[HS_SERVER],
				    connection->port[HS_SERVER]);
	if (listener)
		hs_histogram_add(&listener->accept_delay, &hs_buckets_handshake, delay);
}

static void account_rtt(struct hs_connection *connection)
{
	bool client = connection->end[HS_CLIENT].here;
	const struct hs_tcp *tcp = &connection->end[client ? HS_CLIENT : HS_SERVER].tcp;

	if (tcp->srtt_us && connection->established)
		hs_histogram_add(&connection->edge->rtt, &hs_buckets_rtt, tcp->srtt_us / 1e6);
}

static void account_active(struct hs_connection *connection)
{
	bool active = connection->established && !connection->closed_ns;

	if (active == connection->accounted.active)
		return;
	connection->accounted.active = active;
	connection->edge->active += active ? 1 : -1;
}

static void account_end(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_edge *edge = connection->edge;

	if (connection->reason == HS_REASON_CANCELLED) {
		edge->cancelled++;
	} else if (connection->reason) {
		struct hs_verdict verdict = hs_finding_connect(model, connection);

		hs_failures_add(model, &edge->failures, &verdict);
	} else if (connection->established) {
		edge->closes++;
		if (connection->start_ns)
			hs_histogram_add(&edge->connection_duration, &hs_buckets_connection,
					 hs_seconds(connection->start_ns, connection->closed_ns));
	}
	connection->accounted.end = true;
}

void hs_account(struct hs_model *model, struct hs_connection *connection)
{
	connection->edge->last_seen_ns = model->now_ns;
	account_handshake(connection);
	account_accept(model, connection);
	account_bytes(connection);
	account_retransmits(connection);
	account_resets(connection);
	account_active(connection);
	if (connection->accounted.rtt_pass != model->pass || connection->closed_ns) {
		connection->accounted.rtt_pass = model->pass;
		if (!connection->accounted.end)
			account_rtt(connection);
	}
	if (connection->closed_ns && !connection->accounted.end)
		account_end(model, connection);
}

void hs_settle(struct hs_model *model, struct hs_connection *connection)
{
	if (hs_is_own(model, connection)) {
		connection->own = true;
		return;
	}
	if (!connection->edge || connection->list == HS_LIST_UNSETTLED)
		attribute(model, connection);
	hs_account(model, connection);
}
