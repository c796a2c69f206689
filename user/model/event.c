// SPDX-License-Identifier: GPL-2.0-or-later
/* Records about one moment: failed calls, errors, retransmissions, resets. */
#include <errno.h>

#include "model/private.h"

/*
 * Both ends of a record that may have no connection (a refused SYN, a request in the SYN
 * queue): by the connection if there is one, else by owner, listener and address. side is the
 * end that the record is about. The references are the caller's.
 */
static void ends_of(struct hs_model *model, const struct hs_ev_socket *socket, enum hs_side side,
		    struct hs_workload *workload[HS_SIDES])
{
	enum hs_side other = hs_other_side(side);
	uint32_t netns = socket->tuple.netns;
	struct hs_listener *listener = side == HS_SERVER ?
		hs_listener_find(model, netns, socket->tuple.local, socket->tuple.local_port) :
		hs_listener_reached(model, netns, socket->tuple.remote, socket->tuple.remote_port);

	workload[side] = hs_workload_of_pid(model, socket->pid);
	workload[other] = NULL;
	if (listener && !workload[HS_SERVER])
		workload[HS_SERVER] = hs_workload_ref(listener->workload);
	if (!workload[side])
		workload[side] = hs_workload_of_address(model, socket->tuple.local);
	if (!workload[other] && side == HS_CLIENT)
		workload[other] = hs_workload_of_server(model, socket->tuple.remote, socket->pid, socket->event.time_ns);
	if (!workload[other])
		workload[other] = hs_workload_of_address(model, socket->tuple.remote);
}

static bool is_own(struct hs_model *model, const struct hs_ev_socket *socket, enum hs_side side)
{
	struct hs_listener *listener = side == HS_SERVER ?
		hs_listener_find(model, socket->tuple.netns, socket->tuple.local, socket->tuple.local_port) :
		hs_listener_reached(model, socket->tuple.netns, socket->tuple.remote, socket->tuple.remote_port);

	return model->config.self_pid &&
	       (socket->pid == model->config.self_pid || (listener && listener->own));
}

/* An entry with both ends; NULL when the traffic is our own. */
static struct hs_log_entry *log_socket(struct hs_model *model, enum hs_log_type type,
				       const struct hs_ev_socket *socket, enum hs_side *side)
{
	struct hs_connection *connection = hs_connection_of(model, socket, side);
	enum hs_side other = hs_other_side(*side);
	struct hs_workload *workload[HS_SIDES];
	struct hs_log_entry *entry;

	if (connection ? hs_is_own(model, connection) : is_own(model, socket, *side))
		return NULL;
	entry = hs_log_add(model, type, socket->event.time_ns);
	if (connection) {
		hs_log_ends(model, entry, connection);
		return entry;
	}
	ends_of(model, socket, *side, workload);
	hs_log_end(model, &entry->end[*side], socket->tuple.local, socket->tuple.local_port, socket->pid,
		   socket->tuple.netns, workload[*side]);
	hs_log_end(model, &entry->end[other], socket->tuple.remote, socket->tuple.remote_port, 0, 0,
		   workload[other]);
	return entry;
}

int hs_connect_error_feed(struct hs_model *model, const struct hs_ev_error *event)
{
	enum hs_side side = HS_CLIENT, other = HS_SERVER;
	struct hs_workload *workload[HS_SIDES];
	struct hs_verdict verdict;
	struct hs_log_entry *entry;

	if (is_own(model, &event->socket, side))
		return 0;
	ends_of(model, &event->socket, side, workload);
	verdict = hs_finding_error(model, event, workload);
	hs_failures_add(model, &hs_edge_get(model, workload[HS_CLIENT], workload[HS_SERVER],
					    event->socket.tuple.remote_port)->failures, &verdict);
	entry = hs_log_add(model, HS_LOG_FAILURE, event->socket.event.time_ns);
	hs_log_end(model, &entry->end[side], event->socket.tuple.local, event->socket.tuple.local_port,
		   event->socket.pid, event->socket.tuple.netns, workload[side]);
	hs_log_end(model, &entry->end[other], event->socket.tuple.remote, event->socket.tuple.remote_port, 0, 0,
		   workload[other]);
	entry->reason = verdict.reason;
	entry->error = event->error;
	entry->duration_ns = event->duration_ns;
	return 0;
}

int hs_socket_error_feed(struct hs_model *model, const struct hs_ev_error *event)
{
	enum hs_side side;
	struct hs_log_entry *entry = log_socket(model, HS_LOG_ERROR, &event->socket, &side);

	if (entry)
		entry->error = event->error;
	return 0;
}

/* Retransmissions of connections are counted from the socket; a request has no socket yet. */
static void account_syn_ack(struct hs_model *model, const struct hs_log_entry *entry,
			    const struct hs_ev_retransmit *event)
{
	struct hs_edge *edge = hs_edge_get(model, entry->end[HS_CLIENT].workload,
					   entry->end[HS_SERVER].workload, entry->end[HS_SERVER].port);

	edge->retransmits[HS_SERVER][HS_RETRANSMIT_SYN_ACK] += event->segments;
}

static void take_retransmit(struct hs_model *model, const struct hs_ev_retransmit *event)
{
	struct hs_ev_socket socket = event->socket;
	struct hs_log_entry *entry;
	enum hs_side side;

	if (event->kind == HS_RETRANSMIT_SYN_ACK)
		socket.cookie = 0; /* the listener's: the connection is found by its tuple */
	entry = log_socket(model, HS_LOG_RETRANSMIT, &socket, &side);
	if (!entry)
		return;
	entry->kind = event->kind;
	entry->segments = event->segments;
	entry->attempt = event->attempt;
	entry->rto_us = event->rto_us;
	entry->error = (int)-(unsigned)event->error; /* of a foreign recording: any number */
	entry->sender = side;
	if (event->kind == HS_RETRANSMIT_SYN_ACK) {
		entry->sender = HS_SERVER;
		account_syn_ack(model, entry, event);
	}
}

/*
 * A client on this node shows when it is established, or when a pass meets its socket. The
 * server may send its SYN-ACK again before that, and would call the client by its address.
 */
static bool is_early(struct hs_model *model, const struct hs_ev_retransmit *event)
{
	struct hs_ev_socket socket = event->socket;
	enum hs_side side;

	socket.cookie = 0;
	return event->kind == HS_RETRANSMIT_SYN_ACK && !hs_connection_of(model, &socket, &side);
}

void hs_early_tick(struct hs_model *model, uint64_t before_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->early_count; i++) {
		if (model->early[i].socket.event.time_ns >= before_ns && is_early(model, &model->early[i]))
			model->early[kept++] = model->early[i];
		else
			take_retransmit(model, &model->early[i]);
	}
	model->early_count = kept;
}

int hs_retransmit_feed(struct hs_model *model, const struct hs_ev_retransmit *event)
{
	if (event->kind >= HS_RETRANSMIT_MAX)
		return -EBADMSG;
	hs_signal_retransmit(model, event);
	if (model->early_count < HS_EARLY && is_early(model, event))
		model->early[model->early_count++] = *event;
	else
		take_retransmit(model, event);
	return 0;
}

/*
 * A reset that answers a segment for which there is no socket. If its receiver is on this
 * node, it counts there; that its address is one of ours shows a moment later.
 */
static void keep_stray(struct hs_model *model, const struct hs_ev_reset *event)
{
	struct hs_stray_reset *stray;

	if (model->stray_count == HS_STRAYS)
		hs_stray_tick(model);
	stray = &model->strays[model->stray_count++];
	stray->tuple = event->socket.tuple;
	stray->time_ns = event->socket.event.time_ns;
	stray->reason = event->reason;
}

static void account_stray(struct hs_model *model, const struct hs_stray_reset *stray)
{
	struct hs_workload *client = hs_workload_of_address(model, stray->tuple.remote);
	struct hs_workload *server = hs_workload_of_address(model, stray->tuple.local);
	struct hs_edge *edge = hs_edge_find(model, client, server, stray->tuple.local_port);
	struct hs_log_entry *entry = hs_log_add(model, HS_LOG_RESET, stray->time_ns);

	hs_log_end(model, &entry->end[HS_CLIENT], stray->tuple.remote, stray->tuple.remote_port, 0, 0, client);
	hs_log_end(model, &entry->end[HS_SERVER], stray->tuple.local, stray->tuple.local_port, 0,
		   stray->tuple.netns, server);
	entry->sender = HS_SERVER;
	entry->reset_reason = stray->reason;
	/* Scans would make an edge for every port: what has none goes to ~other, but is no loss. */
	if (!edge)
		edge = hs_edge_get(model, model->other, model->other, 0);
	edge->resets[HS_SERVER]++;
}

static bool is_here(struct hs_model *model, const uint8_t address[16])
{
	return hs_address_is_loopback(address) || hs_address_find(model, address);
}

void hs_stray_tick(struct hs_model *model)
{
	for (size_t i = 0; i < model->stray_count; i++)
		if (!is_here(model, model->strays[i].tuple.remote))
			account_stray(model, &model->strays[i]);
	model->stray_count = 0;
}

int hs_reset_feed(struct hs_model *model, const struct hs_ev_reset *event)
{
	enum hs_side side;
	struct hs_connection *connection = hs_connection_of(model, &event->socket, &side);
	struct hs_log_entry *entry;

	hs_signal_reset(model, event);
	if (event->sent && !event->socket.cookie && !connection) {
		keep_stray(model, event);
		return 0;
	}
	if (event->sent && connection) {
		if (connection->end[side].resets_sent < 255)
			connection->end[side].resets_sent++;
		if (connection->end[hs_other_side(side)].here)
			return 0; /* told when it arrives */
	}
	if (event->sent && !connection && is_here(model, event->socket.tuple.remote))
		return 0; /* it arrived, and all was over before this record came */
	entry = log_socket(model, HS_LOG_RESET, &event->socket, &side);
	if (entry) {
		entry->sender = event->sent ? side : hs_other_side(side);
		entry->reset_reason = event->reason;
	}
	return 0;
}
