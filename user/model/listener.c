// SPDX-License-Identifier: GPL-2.0-or-later
/* Listening sockets: found by the server's end of a connection, and by a client's destination. */
#include <errno.h>
#include <stdlib.h>

#include "model/private.h"

#define MISSED_PASSES 5
#define MISSED_NS (30 * SECOND)

static void link_port(struct hs_model *model, struct hs_listener *listener)
{
	struct hs_listener *first;

	HASH_FIND(hh_port, model->ports, &listener->port, sizeof(listener->port), first);
	if (first) {
		listener->same_port = first->same_port;
		first->same_port = listener;
	} else {
		HASH_ADD(hh_port, model->ports, port, sizeof(listener->port), listener);
	}
}

static void unlink_port(struct hs_model *model, struct hs_listener *listener)
{
	struct hs_listener *first, *next = listener->same_port;

	HASH_FIND(hh_port, model->ports, &listener->port, sizeof(listener->port), first);
	if (first == listener) {
		HASH_DELETE(hh_port, model->ports, listener);
		if (next)
			HASH_ADD(hh_port, model->ports, port, sizeof(next->port), next);
		return;
	}
	while (first && first->same_port != listener)
		first = first->same_port;
	if (first)
		first->same_port = next;
}

static void forget(struct hs_model *model, struct hs_listener *listener)
{
	unlink_port(model, listener);
	HASH_DEL(model->listeners, listener);
	hs_workload_unref(model, listener->workload);
	free(listener);
}

static bool reaches(const struct hs_listener *listener, const uint8_t address[16])
{
	return hs_address_is_any(listener->address) || !memcmp(listener->address, address, 16);
}

struct hs_listener *hs_listener_find(struct hs_model *model, uint32_t netns, const uint8_t address[16],
				     uint16_t port)
{
	struct hs_listener *listener;

	HASH_FIND(hh_port, model->ports, &port, sizeof(port), listener);
	while (listener && !(listener->netns == netns && reaches(listener, address)))
		listener = listener->same_port;
	return listener;
}

struct hs_listener *hs_listener_reached(struct hs_model *model, uint32_t netns, const uint8_t address[16],
					uint16_t port)
{
	const struct hs_address *known = hs_address_find(model, address);
	struct hs_listener *listener;

	if (hs_address_is_loopback(address) || (known && known->netns == netns))
		return hs_listener_find(model, netns, address, port);
	if (known)
		return hs_listener_find(model, known->netns, address, port);
	HASH_FIND(hh_port, model->ports, &port, sizeof(port), listener);
	while (listener && memcmp(listener->address, address, 16)) /* bound to just this address */
		listener = listener->same_port;
	return listener;
}

static void own(struct hs_model *model, struct hs_listener *listener, uint32_t pid, uint32_t tid)
{
	listener->pid = pid;
	listener->tid = tid;
	listener->owner_pass = model->pass;
	listener->own = pid && pid == model->config.self_pid;
	hs_workload_unref(model, listener->workload);
	listener->workload = hs_workload_of_pid(model, pid);
}

static struct hs_listener *make(struct hs_model *model, const struct hs_ev_listener *event)
{
	struct hs_listener *listener;

	if (HASH_COUNT(model->listeners) >= model->config.max_listeners) {
		model->counters.dropped[HS_MODEL_LOSS_LISTENER]++;
		return NULL;
	}
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return NULL;
	listener->cookie = event->socket.cookie;
	memcpy(listener->address, event->socket.tuple.local, 16);
	listener->port = event->socket.tuple.local_port;
	listener->netns = event->socket.tuple.netns;
	listener->first_seen_ns = event->socket.event.time_ns;
	listener->drops_raw = event->drops;
	listener->synack_raw = event->synack_retrans;
	HASH_ADD(hh, model->listeners, cookie, sizeof(listener->cookie), listener);
	link_port(model, listener);
	return listener;
}

/* A listener that workers share is met once for each of them: keep to one owner while it holds it. */
static void meet_holder(struct hs_model *model, struct hs_listener *listener, const struct hs_ev_socket *socket)
{
	if (socket->pid == listener->pid)
		listener->owner_pass = model->pass;
	else if (!listener->pid || listener->owner_pass + 1 < model->pass)
		own(model, listener, socket->pid, socket->tid);
	else
		listener->worker_pid = socket->pid;
	listener->pass = model->pass;
	listener->met_ns = socket->event.time_ns;
}

int hs_listener_feed(struct hs_model *model, const struct hs_ev_listener *event)
{
	struct hs_listener *listener;

	HASH_FIND(hh, model->listeners, &event->socket.cookie, sizeof(listener->cookie), listener);
	if (event->socket.phase == HS_PHASE_CLOSE) {
		if (listener)
			forget(model, listener);
		return 0;
	}
	hs_address_learn(model, event->socket.tuple.local, event->socket.tuple.netns);
	if (!listener)
		listener = make(model, event);
	if (!listener)
		return -ENOMEM;
	meet_holder(model, listener, &event->socket);
	if (!listener->workload)
		own(model, listener, listener->pid, listener->tid);
	listener->inode = event->inode;
	listener->backlog = event->backlog;
	listener->backlog_limit = event->backlog_limit;
	listener->syn_queue = event->syn_queue;
	listener->oldest_wait_ns = event->oldest_wait_ns;
	if (event->backlog > event->backlog_limit) /* drops have other reasons too: only while it is full */
		listener->overflows += event->drops - listener->drops_raw;
	listener->drops += event->drops - listener->drops_raw; /* u32: wraps right */
	listener->drops_raw = event->drops;
	listener->synack_retrans += event->synack_retrans - listener->synack_raw;
	listener->synack_raw = event->synack_retrans;
	return 0;
}

void hs_listener_pass_end(struct hs_model *model)
{
	struct hs_listener *listener, *next;

	HASH_ITER(hh, model->listeners, listener, next) {
		if (model->pass - listener->pass >= MISSED_PASSES &&
		    listener->met_ns + MISSED_NS < model->now_ns)
			forget(model, listener);
	}
}

void hs_listener_free_all(struct hs_model *model)
{
	struct hs_listener *listener, *next;

	HASH_ITER(hh, model->listeners, listener, next)
		forget(model, listener);
}
