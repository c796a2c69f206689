// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of connections: which one a record is about. Two ends meet by their tuple; each is a socket with a
 * cookie; either may be on this node or not, and their records come in any order.
 */
#include <stdlib.h>
#include <utlist.h>

#include "model/connection_table.h"

#define DONE_NS (SECOND / 200)    /* resets and errors that belong to a close come just behind it */

#define KEY_LENGTH (offsetof(struct hs_connection, end) - offsetof(struct hs_connection, address))

/* ---- lists ---- */

static struct hs_connection **list_of(struct hs_model *model, int list)
{
	switch (list) {
	case HS_LIST_UNSETTLED:
		return &model->unsettled;
	case HS_LIST_LINGERING:
		return &model->lingering;
	default:
		return &model->done;
	}
}

void hs_connection_unlist(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_connection **list = list_of(model, connection->list);

	if (connection->list != HS_LIST_NONE)
		DL_DELETE(*list, connection);
	connection->list = HS_LIST_NONE;
}

void hs_connection_enlist(struct hs_model *model, struct hs_connection *connection, int list)
{
	struct hs_connection **to = list_of(model, list);

	hs_connection_unlist(model, connection);
	connection->list = list;
	DL_APPEND(*to, connection);
}

/* ---- table ---- */

static struct hs_connection *find_tuple(struct hs_model *model, const struct hs_connection *key)
{
	struct hs_connection *found;

	HASH_FIND(hh, model->connections, key->address, KEY_LENGTH, found);
	return found;
}

static void link_tuple(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_connection *first = find_tuple(model, connection);

	if (first) {
		connection->same_tuple = first->same_tuple;
		first->same_tuple = connection;
	} else {
		HASH_ADD(hh, model->connections, address, KEY_LENGTH, connection);
	}
}

static void unlink_tuple(struct hs_model *model, struct hs_connection *connection)
{
	struct hs_connection *first = find_tuple(model, connection), *next = connection->same_tuple;

	if (first == connection) {
		HASH_DEL(model->connections, connection);
		if (next)
			HASH_ADD(hh, model->connections, address, KEY_LENGTH, next);
		return;
	}
	while (first && first->same_tuple != connection)
		first = first->same_tuple;
	if (first)
		first->same_tuple = next;
}

static struct hs_connection *of_end(struct hs_end *end, enum hs_side side)
{
	return (void *)((char *)end - offsetof(struct hs_connection, end) - side * sizeof(*end));
}

struct hs_connection *hs_connection_by_cookie(struct hs_model *model, uint64_t cookie, enum hs_side *side)
{
	struct hs_end *end = NULL;

	for (int i = 0; cookie && i < HS_SIDES; i++) {
		HASH_FIND(hh, model->cookies[i], &cookie, sizeof(cookie), end);
		if (end) {
			*side = i;
			return of_end(end, i);
		}
	}
	return NULL;
}

static void discard(struct hs_model *model, struct hs_connection *connection)
{
	hs_connection_unlist(model, connection);
	unlink_tuple(model, connection);
	for (int side = 0; side < HS_SIDES; side++) {
		struct hs_end *end = &connection->end[side];

		hs_talk_end(model, connection, side);
		if (end->cookie)
			HASH_DELETE(hh, model->cookies[side], end);
		hs_workload_unref(model, end->workload);
	}
	if (connection->accounted.active)
		connection->edge->active--;
	if (connection->edge)
		connection->edge->references--;
	model->connection_count--;
	free(connection);
}

/* All is known that will be known: give the edge the rest, and forget. */
void hs_connection_finish(struct hs_model *model, struct hs_connection *connection)
{
	const struct hs_end *server = &connection->end[HS_SERVER];

	if (!connection->closed_ns)
		connection->closed_ns = model->now_ns;
	hs_settle(model, connection);
	if (server->here && server->pid && !server->accept_ns && connection->established && !connection->older)
		model->counters.accepts_unobserved++;
	discard(model, connection);
}

void hs_connection_reap(struct hs_model *model)
{
	while (model->done && model->done->closed_ns + DONE_NS < model->now_ns)
		hs_connection_finish(model, model->done);
}

static void make_room(struct hs_model *model)
{
	if (model->done) {
		hs_connection_finish(model, model->done);
		return;
	}
	if (model->lingering) {
		hs_connection_finish(model, model->lingering); /* nothing is lost but the chance to meet its other end */
		return;
	}
	model->counters.dropped[HS_MODEL_LOSS_CONNECTION]++;
	hs_connection_finish(model, model->connections);
}

static struct hs_connection *make(struct hs_model *model, const struct hs_connection *key)
{
	struct hs_connection *connection = calloc(1, sizeof(*connection));

	if (!connection) {
		model->counters.dropped[HS_MODEL_LOSS_CONNECTION]++;
		return NULL;
	}
	if (model->connection_count >= model->config.max_connections)
		make_room(model);
	memcpy(connection->address, key->address, KEY_LENGTH);
	connection->created_ns = model->now_ns;
	link_tuple(model, connection);
	hs_connection_enlist(model, connection, HS_LIST_UNSETTLED);
	model->connection_count++;
	return connection;
}

/* ---- from a record to its connection ---- */

void hs_connection_key(const struct hs_ev_socket *socket, enum hs_side side, struct hs_connection *key)
{
	enum hs_side other = hs_other_side(side);

	memset(key, 0, sizeof(*key));
	memcpy(key->address[side], socket->tuple.local, 16);
	memcpy(key->address[other], socket->tuple.remote, 16);
	key->port[side] = socket->tuple.local_port;
	key->port[other] = socket->tuple.remote_port;
}

/*
 * May the two ends be one connection? The same tuple can exist in several namespaces: on
 * loopback, always; with addresses of its own, only where they are reused.
 */
static bool may_join(const struct hs_connection *connection, enum hs_side side, uint32_t netns)
{
	const struct hs_end *mine = &connection->end[side], *other = &connection->end[hs_other_side(side)];

	if (mine->here) /* accept() reads the cookie only: it may have come since */
		return !mine->cookie && !mine->closed && mine->netns == netns;
	if (!other->here)
		return true;
	return other->netns == netns || (!hs_address_is_loopback(connection->address[HS_SERVER]) &&
		memcmp(connection->address[HS_CLIENT], connection->address[HS_SERVER], 16));
}

/* Both ends are established within one round trip. UINT64_MAX: not known of both. */
static uint64_t apart(const struct hs_connection *connection, enum hs_side side, uint64_t established_ns)
{
	uint64_t other_ns = connection->end[hs_other_side(side)].established_ns;

	if (!established_ns || !other_ns)
		return UINT64_MAX;
	return established_ns > other_ns ? established_ns - other_ns : other_ns - established_ns;
}

/* Among those with this tuple the one that fits best in time, else the youngest. */
struct hs_connection *hs_connection_joinable(struct hs_model *model, const struct hs_connection *key,
					   enum hs_side side, uint32_t netns, uint64_t established_ns)
{
	uint64_t best_apart = UINT64_MAX;
	struct hs_connection *best = NULL;

	for (struct hs_connection *c = find_tuple(model, key); c; c = c->same_tuple) {
		uint64_t c_apart = apart(c, side, established_ns);

		if (!may_join(c, side, netns))
			continue;
		if (!best || c_apart < best_apart || (c_apart == best_apart && c->created_ns > best->created_ns)) {
			best = c;
			best_apart = c_apart;
		}
	}
	return best;
}

static enum hs_side guess_side(struct hs_model *model, const struct hs_ev_socket *socket)
{
	struct hs_connection key;

	if (socket->role)
		return socket->role == HS_ROLE_SERVER ? HS_SERVER : HS_CLIENT;
	if (hs_listener_find(model, socket->tuple.netns, socket->tuple.local, socket->tuple.local_port))
		return HS_SERVER;
	hs_connection_key(socket, HS_SERVER, &key);
	return hs_connection_joinable(model, &key, HS_SERVER, socket->tuple.netns, 0) ? HS_SERVER : HS_CLIENT;
}

/*
 * A server's end whose client is on this node but is not known any more: it was counted with
 * the client's end, and had waited longer for its accept() than that was kept.
 */
static bool counted_before(struct hs_model *model, const struct hs_ev_socket *socket, enum hs_side side)
{
	return side == HS_SERVER && (hs_address_is_loopback(socket->tuple.remote) ||
				     hs_address_find(model, socket->tuple.remote));
}

static struct hs_connection *make_counted(struct hs_model *model, const struct hs_connection *key,
					  const struct hs_ev_socket *socket, enum hs_side side)
{
	struct hs_connection *connection = make(model, key);

	if (connection)
		connection->older = counted_before(model, socket, side);
	return connection;
}

struct hs_connection *hs_connection_get(struct hs_model *model, const struct hs_ev_socket *socket, uint64_t established_ns,
				 enum hs_side *side)
{
	struct hs_connection *connection = hs_connection_by_cookie(model, socket->cookie, side), key;
	struct hs_end *end;

	if (connection)
		return connection;
	*side = guess_side(model, socket);
	hs_connection_key(socket, *side, &key);
	connection = hs_connection_joinable(model, &key, *side, socket->tuple.netns, established_ns);
	if (!connection)
		connection = make_counted(model, &key, socket, *side);
	if (!connection)
		return NULL;
	end = &connection->end[*side];
	end->here = true;
	end->met_ns = model->now_ns;
	end->cookie = socket->cookie;
	end->netns = socket->tuple.netns;
	if (end->cookie)
		HASH_ADD(hh, model->cookies[*side], cookie, sizeof(end->cookie), end);
	hs_address_learn(model, socket->tuple.local, socket->tuple.netns);
	if (connection->edge && !connection->closed_ns)
		hs_connection_enlist(model, connection, HS_LIST_UNSETTLED); /* its name was a guess */
	return connection;
}

/* Could a record without a cookie, from this side in this namespace, be about it? */
static bool is_of(const struct hs_connection *connection, enum hs_side side, uint32_t netns)
{
	const struct hs_end *end = &connection->end[side];

	return end->here ? end->netns == netns : may_join(connection, side, netns);
}

struct hs_connection *hs_connection_of(struct hs_model *model, const struct hs_ev_socket *socket,
				       enum hs_side *side)
{
	struct hs_connection *connection = hs_connection_by_cookie(model, socket->cookie, side), key;

	if (connection)
		return connection;
	for (int i = 0; i < HS_SIDES; i++) {
		*side = i;
		hs_connection_key(socket, i, &key);
		for (connection = find_tuple(model, &key); connection; connection = connection->same_tuple)
			if (is_of(connection, i, socket->tuple.netns))
				return connection;
	}
	*side = guess_side(model, socket);
	return NULL;
}

void hs_connection_free_all(struct hs_model *model)
{
	while (model->connections)
		discard(model, model->connections);
}

/* ---- reading ---- */

static bool is_live(const struct hs_connection *connection)
{
	return !connection->own && !connection->closed_ns;
}

const struct hs_connection *hs_model_next_connection(const struct hs_model *model,
						     const struct hs_connection *previous)
{
	const struct hs_connection *c = previous, *head = NULL;

	if (previous) {
		struct hs_model *mutable = (struct hs_model *)model;

		head = find_tuple(mutable, previous);
	}
	do {
		if (!c)
			c = head = model->connections;
		else if (c->same_tuple)
			c = c->same_tuple;
		else
			c = head = head->hh.next;
		if (!c)
			return NULL;
	} while (!is_live(c));
	return c;
}

size_t hs_model_connection_count(const struct hs_model *model)
{
	return model->connection_count;
}
