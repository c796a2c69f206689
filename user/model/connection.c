// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What becomes of connections as their records come and time goes by.
 *
 * A connection is unsettled until it is clear which edge it belongs to, and lingers after one
 * end has closed while the other may still have something to tell.
 */
#include <errno.h>
#include <string.h>
#include <utlist.h>

#include "model/connection_table.h"

#define SETTLE_NS (1 * SECOND)    /* the other end on this node would have shown by then */
#define LINGER_NS (1 * SECOND)
#define EXPECTED_NS (60 * SECOND) /* its server is on this node and has not closed yet */
#define MISSED_PASSES 5
#define HELD_NS (30 * SECOND)     /* a state in which a process holds the socket */
#define ORPHAN_NS (300 * SECOND)  /* a state in which the kernel alone may hold it */

enum { ESTABLISHED = 1, SYN_SENT = 2, CLOSE = 7, CLOSE_WAIT = 8 }; /* include/net/tcp_states.h */

static void own(struct hs_model *model, struct hs_end *end, uint32_t pid, uint32_t tid)
{
	if (!pid)
		return;
	if (end->pid != pid || !end->workload) {
		hs_workload_unref(model, end->workload);
		end->workload = hs_workload_of_pid(model, pid);
	}
	end->pid = pid;
	end->tid = tid;
}

/* ---- records ---- */

static void take_times(struct hs_connection *connection, struct hs_end *end, enum hs_side side,
		       const struct hs_ev_connection *event)
{
	bool client = side == HS_CLIENT;

	if (event->established_ns)
		end->established_ns = event->established_ns;
	if (event->start_ns && (client || !connection->end[HS_CLIENT].here))
		connection->start_ns = event->start_ns;
	if (event->established_ns && (client || !connection->end[HS_CLIENT].here))
		connection->established_ns = event->established_ns;
	if (event->established_ns)
		connection->established = true;
	if (client && event->established_ns)
		connection->older = false;
	if (!event->start_ns && event->socket.old_state != SYN_SENT) {
		connection->established = true; /* nobody saw its handshake */
		connection->older = !connection->established_ns;
	}
}

static void log_connect(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_log_entry *entry;

	if (connection->accounted.connect_logged || hs_is_own(model, connection))
		return;
	connection->accounted.connect_logged = true;
	entry = hs_log_add(model, HS_LOG_CONNECT, connection->established_ns);
	hs_log_ends(model, entry, connection);
	entry->duration_ns = connection->established_ns - connection->start_ns;
}

static uint32_t retransmitted(const struct hs_connection *connection)
{
	return connection->end[HS_CLIENT].tcp.total_retrans + connection->end[HS_SERVER].tcp.total_retrans;
}

static void log_close(struct hs_model *model, struct hs_connection *connection, enum hs_side side)
{
	const struct hs_tcp *tcp = &connection->end[side].tcp;
	struct hs_log_entry *entry;

	if (connection->accounted.close_logged || connection->reason == HS_REASON_CANCELLED ||
	    hs_is_own(model, connection))
		return;
	connection->accounted.close_logged = true;
	entry = hs_log_add(model, connection->reason ? HS_LOG_FAILURE : HS_LOG_CLOSE, connection->closed_ns);
	hs_log_ends(model, entry, connection);
	entry->reason = connection->reason;
	entry->error = connection->error;
	entry->duration_ns = connection->start_ns ? connection->closed_ns - connection->start_ns : 0;
	entry->sent_bytes = side == HS_CLIENT ? tcp->bytes_acked : tcp->bytes_received;
	entry->received_bytes = side == HS_CLIENT ? tcp->bytes_received : tcp->bytes_acked;
	entry->retransmits = retransmitted(connection);
}

static void sampled(struct hs_model *model, struct hs_end *end, const struct hs_ev_socket *socket)
{
	if (end->pass != model->pass) {
		end->pass = model->pass;
		end->holder_pid = 0;
	}
	end->met_ns = socket->event.time_ns;
	end->doubted_pass = 0;
	if (!end->pid)
		own(model, end, socket->pid, socket->tid);
	if (socket->pid == end->pid) {
		end->owner_pass = model->pass;
	} else {
		end->holder_pid = socket->pid;
		end->holder_tid = socket->tid;
	}
}

/* One end has closed, the other is here and lives on, in CLOSE_WAIT perhaps for ever. */
static bool half_closed(const struct hs_connection *connection)
{
	const struct hs_end *client = &connection->end[HS_CLIENT], *server = &connection->end[HS_SERVER];

	return client->here && server->here && (!client->closed || !server->closed);
}

/* Is there a reason to wait for records of the other end? */
static bool other_end_expected(struct hs_model *model, const struct hs_connection *connection)
{
	const struct hs_end *client = &connection->end[HS_CLIENT], *server = &connection->end[HS_SERVER];

	if (client->here && server->here)
		return half_closed(connection);
	return client->here && hs_listener_reached(model, client->netns, connection->address[HS_SERVER],
						   connection->port[HS_SERVER]);
}

static void take_closer(struct hs_end *end, const struct hs_ev_connection *event)
{
	end->closer = event->closer_pid;
	end->closer_exit = event->closer_exit;
	end->close = event->close;
}

static void closed(struct hs_model *model, struct hs_connection *connection, enum hs_side side,
		   const struct hs_ev_connection *event)
{
	struct hs_end *end = &connection->end[side];

	end->closed = true;
	if (!connection->closed_ns)
		connection->closed_ns = event->socket.event.time_ns;
	if (!connection->error)
		connection->error = event->tcp.error;
	end->closed_ns = event->socket.event.time_ns;
	take_closer(end, event);
	if (event->closer_pid && event->closer_pid != end->pid)
		own(model, end, event->closer_pid, event->closer_tid); /* who used it last */
	if (side == HS_CLIENT && event->socket.old_state == SYN_SENT)
		connection->reason = hs_reason_of_close(event->tcp.error,
							event->tcp.retransmits || event->tcp.total_retrans);
	if (connection->reason == HS_REASON_CANCELLED && (connection->error = hs_error_unseen(model, connection)))
		connection->reason = hs_reason_of_error(connection->error);
	if (!connection->reason && connection->established)
		hs_finding_close(model, connection, side, event->socket.old_state);
	log_close(model, connection, side);
	hs_talk_end(model, connection, side);
	if (connection->edge)
		hs_settle(model, connection); /* it is active no more; the other end may add to it */
	if (connection->reason || (connection->end[HS_CLIENT].closed && connection->end[HS_SERVER].closed)) {
		hs_settle(model, connection);
		hs_connection_enlist(model, connection, HS_LIST_DONE);
	} else {
		hs_connection_enlist(model, connection, HS_LIST_LINGERING);
	}
}

static void abandoned(struct hs_model *model, struct hs_connection *connection, enum hs_side side,
		      const struct hs_ev_connection *event)
{
	take_closer(&connection->end[side], event);
	hs_finding_abandoned(model, connection, side);
}

/* A socket may connect again, and keeps its cookie: from here on that is of the new connection. */
static void part_from_past(struct hs_model *model, const struct hs_ev_connection *event)
{
	enum hs_side side;
	struct hs_connection *connection = hs_connection_by_cookie(model, event->socket.cookie, &side);
	struct hs_end *end = connection ? &connection->end[side] : NULL;

	if (!end || !end->closed || event->start_ns <= connection->closed_ns)
		return;
	HASH_DELETE(hh, model->cookies[side], end);
	end->cookie = 0;
}

static void log_accept(struct hs_model *model, struct hs_connection *connection)
{
	const struct hs_end *server = &connection->end[HS_SERVER];
	struct hs_log_entry *entry;

	if (hs_is_own(model, connection))
		return;
	entry = hs_log_add(model, HS_LOG_ACCEPT, server->accept_ns);
	hs_log_ends(model, entry, connection);
	if (connection->established_ns && connection->established_ns < server->accept_ns)
		entry->duration_ns = server->accept_ns - connection->established_ns;
}

/* Where nobody follows events, the server's end tells who it is when others have been logged of it. */
static void tell_who(struct hs_model *model, struct hs_connection *connection, const struct hs_end *end,
		     bool known)
{
	if (!known && end->pid)
		hs_log_amend(model, connection);
}

/* Told by a record of its own, or by the next one of its socket, whichever comes first. */
static void accepted(struct hs_model *model, struct hs_connection *connection, enum hs_side side,
		     const struct hs_ev_socket *socket, uint64_t accept_ns)
{
	struct hs_end *end = &connection->end[side];
	struct hs_listener *listener;

	if (!accept_ns || end->accept_ns)
		return;
	end->accept_ns = accept_ns;
	connection->established = true;
	own(model, end, socket->pid, socket->tid);
	listener = hs_listener_find(model, socket->tuple.netns, socket->tuple.local, socket->tuple.local_port);
	if (listener)
		listener->accepts++;
	if (side == HS_SERVER)
		log_accept(model, connection);
}

/*
 * Older than the agent, and closed before anybody was met who held it: neither whose it was nor who called
 * whom can be told, and a guess would draw an edge that there is not.
 */
static bool is_stranger(struct hs_model *model, const struct hs_ev_connection *event)
{
	const struct hs_ev_socket *socket = &event->socket;
	struct hs_connection key;
	enum hs_side side;

	if (socket->role || socket->pid || socket->phase != HS_PHASE_CLOSE || hs_connection_by_cookie(model, socket->cookie, &side) ||
	    hs_listener_find(model, socket->tuple.netns, socket->tuple.local, socket->tuple.local_port) ||
	    hs_listener_reached(model, socket->tuple.netns, socket->tuple.remote, socket->tuple.remote_port))
		return false;
	for (side = 0; side < HS_SIDES; side++) {
		hs_connection_key(socket, side, &key);
		if (hs_connection_joinable(model, &key, side, socket->tuple.netns, 0))
			return false;
	}
	return true;
}

static int feed(struct hs_model *model, const struct hs_ev_connection *event)
{
	struct hs_connection *connection;
	struct hs_end *end;
	enum hs_side side;
	bool known;

	if (is_stranger(model, event))
		return 0;
	if (event->socket.role == HS_ROLE_SERVER && event->socket.phase == HS_PHASE_CLOSE &&
	    event->start_ns && !event->established_ns)
		return 0; /* a child that the listener dropped before its handshake was done */
	part_from_past(model, event);
	connection = hs_connection_get(model, &event->socket, event->established_ns, &side);
	if (!connection)
		return -ENOMEM;
	end = &connection->end[side];
	known = end->pid;
	end->state = event->socket.state;
	if (event->inode)
		end->inode = event->inode;
	if (event->socket.event.size > HS_EV_CONNECTION_OPEN_SIZE)
		end->tcp = event->tcp;
	take_times(connection, end, side, event);
	accepted(model, connection, side, &event->socket, event->accept_ns);
	switch (event->socket.phase) {
	case HS_PHASE_OPEN:
		own(model, end, event->socket.pid, event->socket.tid);
		if (side == HS_CLIENT)
			log_connect(model, connection);
		break;
	case HS_PHASE_SAMPLE:
		sampled(model, end, &event->socket);
		if (connection->edge)
			hs_account(model, connection);
		break;
	case HS_PHASE_ABANDONED:
		abandoned(model, connection, side, event);
		break;
	case HS_PHASE_CLOSE:
		own(model, end, end->pid ? 0 : event->socket.pid, event->socket.tid);
		closed(model, connection, side, event);
		break;
	}
	tell_who(model, connection, end, known);
	return 0;
}

int hs_connection_feed(struct hs_model *model, const struct hs_ev_connection *event)
{
	struct hs_ev_connection whole = { 0 };

	if (event->socket.event.size >= sizeof(whole))
		return feed(model, event);
	memcpy(&whole, event, event->socket.event.size);
	return feed(model, &whole);
}

int hs_accept_feed(struct hs_model *model, const struct hs_ev_socket *event)
{
	struct hs_connection *connection;
	struct hs_end *end;
	enum hs_side side;
	bool known;

	if (!event->tuple.remote_port)
		return 0; /* reset before it was accepted: the socket has no peer any more */
	connection = hs_connection_get(model, event, 0, &side);
	if (!connection)
		return -ENOMEM;
	end = &connection->end[side];
	known = end->pid;
	end->state = event->state;
	accepted(model, connection, side, event, event->event.time_ns);
	tell_who(model, connection, end, known);
	return 0;
}

/* ---- time ---- */

/*
 * Nobody has met this end for long, and no close record came: it was lost. An end that no pass
 * ever met may be out of their sight (the kernel's own socket, one that only io_uring holds),
 * unless records were lost.
 */
static bool vanished(const struct hs_model *model, const struct hs_end *end)
{
	bool in_use = end->state == ESTABLISHED || end->state == CLOSE_WAIT, held = end->pass && in_use;

	if (!end->here || end->closed || model->pass - end->pass < MISSED_PASSES)
		return false;
	if (end->doubted_pass && in_use && model->pass - end->doubted_pass >= MISSED_PASSES)
		return true;
	if (!end->pass && !model->counters.kernel_dropped[HS_LOSS_RING_CONNECTION])
		return false;
	return end->met_ns + (held ? HELD_NS : ORPHAN_NS) < model->now_ns;
}

static void sweep(struct hs_model *model, struct hs_connection *connection)
{
	for (int side = 0; side < HS_SIDES; side++) {
		struct hs_end *end = &connection->end[side];

		if (end->pass == model->pass && end->owner_pass != model->pass && end->holder_pid) {
			own(model, end, end->holder_pid, end->holder_tid); /* passed on */
			end->owner_pass = model->pass;
		}
		if (vanished(model, end)) {
			model->counters.dropped[HS_MODEL_LOSS_CLOSE]++;
			end->closed = true;
			connection->closed_ns = end->met_ns;
			if (connection->edge)
				hs_settle(model, connection);
			hs_connection_enlist(model, connection, HS_LIST_LINGERING);
		}
	}
}

/* An end that a whole pass before the loss has not met is out of their sight, and tells nothing. */
static void doubt(struct hs_model *model, struct hs_end *end)
{
	if (end->here && !end->closed && !end->doubted_pass && (end->pass || end->met_ns >= model->loss_pass_ns))
		end->doubted_pass = model->pass;
}

void hs_connection_doubt(struct hs_model *model)
{
	struct hs_connection *first, *next_first;

	HASH_ITER(hh, model->connections, first, next_first) {
		for (struct hs_connection *c = first; c; c = c->same_tuple) {
			doubt(model, &c->end[HS_CLIENT]);
			doubt(model, &c->end[HS_SERVER]);
		}
	}
}

static void settle_before(struct hs_model *model, uint64_t created_ns)
{
	struct hs_connection *connection, *next;

	DL_FOREACH_SAFE(model->unsettled, connection, next) {
		if (connection->created_ns >= created_ns)
			break;
		if (!connection->established)
			continue; /* its SYN is in flight */
		hs_settle(model, connection);
		hs_connection_unlist(model, connection);
	}
}

static void finish_before(struct hs_model *model, uint64_t closed_ns)
{
	struct hs_connection *connection, *next;

	DL_FOREACH_SAFE(model->lingering, connection, next) {
		bool expected = other_end_expected(model, connection);

		if (connection->waited && connection->closed_ns < closed_ns)
			hs_finding_waited(model, connection);
		if (connection->closed_ns < closed_ns && !half_closed(connection) &&
		    (!expected || connection->closed_ns + EXPECTED_NS < model->now_ns))
			hs_connection_finish(model, connection);
		else if (expected && !connection->edge && connection->closed_ns < closed_ns)
			hs_settle(model, connection); /* count it now; the other end adds its own */
	}
}

/* A pass that began after an end showed has met the other one too, if it is here. */
void hs_connection_pass_end(struct hs_model *model)
{
	struct hs_connection *first, *next_first;

	HASH_ITER(hh, model->connections, first, next_first) {
		for (struct hs_connection *c = first; c; c = c->same_tuple)
			sweep(model, c);
	}
	settle_before(model, model->pass_begin_ns);
	finish_before(model, model->pass_begin_ns);
}

void hs_connection_tick(struct hs_model *model)
{
	if (model->now_ns < SETTLE_NS)
		return;
	settle_before(model, model->now_ns - SETTLE_NS);
	finish_before(model, model->now_ns - LINGER_NS);
}

void hs_connection_settle(struct hs_model *model)
{
	struct hs_connection *connection, *next;

	settle_before(model, UINT64_MAX);
	DL_FOREACH_SAFE(model->lingering, connection, next)
		hs_settle(model, connection);
	while (model->done)
		hs_connection_finish(model, model->done);
}
