/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /api/v1/connections: live connections, in no order. */
#include <string.h>

#include "export/json_document.h"

/* An end that is known by its accept() alone has no socket's figures yet. */
static bool has_tcp(const struct hs_end *end)
{
	static const struct hs_tcp none;

	return end->here && memcmp(&end->tcp, &none, sizeof(none));
}

static void put_socket(struct hs_json *json, const char *key, const struct hs_end *end)
{
	hs_json_open(json, key, '{');
	hs_json_put_tcp_state(json, "state", end->state);
	hs_json_put_known_number(json, "pid", end->pid);
	hs_json_put_known_number(json, "tid", end->tid);
	hs_json_put_known_number(json, "inode", end->inode);
	hs_json_put_known_number(json, "cookie", end->cookie);
	if (has_tcp(end))
		hs_json_put_tcp(json, &end->tcp);
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
		hs_json_put_tcp_state(json, "state", end->state);
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
