// SPDX-License-Identifier: GPL-2.0-or-later
/* What is known of a connection that may have failed: its signals, listener, namespaces, processes and drops. */
#include <string.h>

#include "model/private.h"

#define STATUS_NS SECOND /* what a process did before that is of the past */

static const struct hs_sender nothing;

static uint32_t pid_in(const struct hs_case *c, enum hs_side side)
{
	if (c->connection->end[side].pid)
		return c->connection->end[side].pid;
	return side == HS_SERVER && c->listener ? c->listener->pid : 0;
}

/* Asked for seldom: what was read after it ended serves all that ended before, what hangs can wait for a moment. */
static void ask_counters(struct hs_case *c)
{
	const struct hs_model_config *config = &c->model->config;
	const struct hs_end *end = c->connection->end;
	bool hangs = !c->connection->closed_ns && !end[HS_CLIENT].closer && !end[HS_SERVER].closer;
	uint64_t since = c->model->now_ns - (hangs ? SECOND / 2 : 0);

	for (int side = 0; side < HS_SIDES; side++)
		if (config->ask_counters && c->netns[side] && pid_in(c, side) &&
		    hs_model_counters_ns(c->model, c->netns[side]) < since)
			config->ask_counters(config->introduce_arg, c->netns[side], pid_in(c, side));
}

void hs_case_make(struct hs_model *model, const struct hs_connection *connection, struct hs_case *c)
{
	const uint8_t *server = connection->address[HS_SERVER];
	const struct hs_end *client_end = &connection->end[HS_CLIENT], *server_end = &connection->end[HS_SERVER];
	const struct hs_address *known = hs_address_find(model, server);

	*c = (struct hs_case){ .model = model, .connection = connection, .from = { &nothing, &nothing } };
	c->signals = hs_signals_find(model, connection->address[HS_CLIENT], connection->port[HS_CLIENT], server,
				     connection->port[HS_SERVER], &c->of_client);
	if (c->signals && c->signals->seen_ns < connection->start_ns)
		c->signals = NULL; /* of an earlier connection */
	if (c->signals) {
		c->from[HS_CLIENT] = &c->signals->from[c->of_client];
		c->from[HS_SERVER] = &c->signals->from[hs_other_side(c->of_client)];
	}
	c->listener = server_end->here ?
		hs_listener_find(model, server_end->netns, server, connection->port[HS_SERVER]) :
		hs_listener_reached(model, client_end->netns, server, connection->port[HS_SERVER]);
	c->netns[HS_CLIENT] = client_end->here ? client_end->netns : 0;
	c->netns[HS_SERVER] = server_end->here ? server_end->netns : c->listener ? c->listener->netns :
		hs_address_is_loopback(server) ? client_end->netns : known ? known->netns : 0;
	c->server_is_here = c->netns[HS_SERVER];
	ask_counters(c);
}

uint64_t hs_case_moved(const struct hs_case *c, enum hs_side side, enum hs_counter counter)
{
	uint64_t since = c->connection->start_ns ? c->connection->start_ns : c->connection->created_ns;

	return c->netns[side] ? hs_counter_moved(c->model, c->netns[side], counter, since) : 0;
}

static const struct hs_ev_status *fresh_status(const struct hs_model *model, uint32_t pid)
{
	for (size_t i = 0; i < HS_STATUSES; i++) {
		const struct hs_ev_status *status = &model->statuses[i];

		if (status->pid == pid && status->event.time_ns + STATUS_NS >= model->now_ns)
			return status;
	}
	return NULL;
}

/* In a replay nobody answers: there the answer lies just before the question. */
static const struct hs_ev_status *status_of(struct hs_case *c, enum hs_side side, uint32_t pid)
{
	const struct hs_model_config *config = &c->model->config;
	const struct hs_ev_status *status = pid ? fresh_status(c->model, pid) : NULL;

	if (pid && !status && config->ask_status) {
		config->ask_status(config->introduce_arg, pid);
		status = fresh_status(c->model, pid);
	}
	if (status) {
		c->status = status;
		c->status_side = side;
	}
	return status;
}

void hs_case_ask_status(struct hs_case *c, enum hs_side side)
{
	status_of(c, side, pid_in(c, side));
}

static bool has_no_fds(const struct hs_ev_status *status)
{
	return status && status->fd_limit && status->fds >= status->fd_limit;
}

/* Where a master listens and its workers accept, either may be short of them. */
bool hs_case_fds_exhausted(struct hs_case *c, enum hs_side side)
{
	if (has_no_fds(status_of(c, side, pid_in(c, side))))
		return true;
	return side == HS_SERVER && !c->connection->end[side].pid && c->listener && c->listener->worker_pid &&
	       has_no_fds(status_of(c, side, c->listener->worker_pid));
}

static bool conntrack_is_full(const struct hs_case *c, uint32_t netns)
{
	uint64_t since = c->connection->start_ns;
	uint64_t max = hs_counter_now(c->model, netns, HS_COUNTER_CONNTRACK_MAX);

	return hs_counter_moved(c->model, netns, HS_COUNTER_CONNTRACK_DROPS, since) && max &&
	       hs_counter_now(c->model, netns, HS_COUNTER_CONNTRACK_ENTRIES) >= max - max / 20;
}

/* The kernel's reason for a drop, in the terms of causes; UNKNOWN: a drop that hinders nobody. */
static enum hs_cause cause_of_drop(const struct hs_case *c, const struct hs_ev_drop *drop)
{
	static const struct {
		const char *prefix;
		enum hs_cause cause;
	} reasons[] = {
		{ "NEIGH_", HS_CAUSE_NEIGHBOR_FAILED },
		{ "IP_RPFILTER", HS_CAUSE_RP_FILTER },
		{ "CPU_BACKLOG", HS_CAUSE_BACKLOG_DROPPED },
		{ "SOCKET_BACKLOG", HS_CAUSE_BACKLOG_DROPPED },
		{ "SOCKET_RCVBUFF", HS_CAUSE_BACKLOG_DROPPED },
		{ "PROTO_MEM", HS_CAUSE_MEMORY_PRESSURE },
		{ "NOMEM", HS_CAUSE_MEMORY_PRESSURE },
		{ "TCP_RFC7323", HS_CAUSE_TIMESTAMP_REJECTED },
		{ "IP_INNOROUTES", HS_CAUSE_NO_ROUTE },
		{ "IP_OUTNOROUTES", HS_CAUSE_NO_ROUTE },
		{ "PKT_TOO_BIG", HS_CAUSE_MTU_BLACKHOLE },
		{ "TCP_LISTEN_OVERFLOW", HS_CAUSE_ACCEPT_QUEUE_FULL },
		{ "TCP_ZEROWINDOW", HS_CAUSE_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (hs_has_prefix(drop->reason, reasons[i].prefix))
			return reasons[i].cause;
	if (hs_has_prefix(drop->reason, "NETFILTER") && conntrack_is_full(c, drop->tuple.netns))
		return HS_CAUSE_CONNTRACK_FULL;
	return drop->direction == HS_DIRECTION_EGRESS ? HS_CAUSE_DROPPED_EGRESS : HS_CAUSE_DROPPED_INGRESS;
}

enum hs_cause hs_case_cause_of_drops(const struct hs_case *c, enum hs_side side)
{
	const struct hs_sender *from = c->from[side];

	return from->drops[0] || from->drops[1] ? cause_of_drop(c, &from->drop) : HS_CAUSE_UNKNOWN;
}
