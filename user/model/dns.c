// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lookups: DNS over UDP. A query waits here for its answer; with it, or when none has come for
 * long, it is a call on the edge from who asked to the server.
 *
 * Each is counted once, at the client's end where that is on this node: what a lookup costs is
 * what its client waits, and a server here says the same. (Requests over TCP are counted at the
 * server's.) A client's query is found again by its socket and id, not by addresses: these may be
 * translated on the way, so that the answer comes from another one than was asked.
 */
#include <stdlib.h>
#include <utlist.h>

#include "l7/dns_message.h"
#include "l7/protocols.h"
#include "model/private.h"

#define TIMEOUT_NS (10 * SECOND)
#define RETRY_NS (900 * SECOND / 1000) /* resolvers wait for a second at least before they ask again */
#define LOOKUPS_MAX 8192
#define LOOKED_AT 64 /* of those with a name: there are more only when a server is dead */

struct hs_lookup {
	struct lookup_key {
		uint64_t cookie;
		uint8_t peer[16]; /* of a server's socket: who asks */
		uint16_t peer_port;
		uint16_t id;
		uint32_t pad;
	} key;
	struct client_key {
		uint8_t address[16];
		uint16_t port, id;
		uint32_t netns; /* of loopback, else 0: addresses are told apart by themselves */
	} client;
	enum hs_side seen_at;
	uint8_t address[HS_SIDES][16];
	uint16_t port[HS_SIDES];
	uint32_t pid[HS_SIDES];
	uint32_t netns;                /* where it is seen */
	struct hs_workload *asks;      /* referenced; NULL: not known */
	uint64_t first_ns, last_ns;    /* of the same query, sent several times */
	uint64_t bytes;
	unsigned retries;
	uint16_t type;
	unsigned bucket;
	char name[HS_DNS_NAME_LEN];
	struct hs_lookup *prev, *next; /* in its bucket */
	UT_hash_handle hh;             /* by key */
	UT_hash_handle hh_client;      /* by client, where seen_at is HS_CLIENT */
};

static void count_loss(struct hs_model *model, enum hs_l7_loss loss)
{
	model->counters.undecoded[hs_protocol_index(&hs_protocol_dns)][loss]++;
}

/* ---- table ---- */

static struct lookup_key key_of(const struct hs_ev_datagram *event, const struct hs_dns_message *message,
				enum hs_side seen_at)
{
	struct lookup_key key = { .cookie = event->cookie, .id = message->id };

	if (seen_at == HS_CLIENT)
		return key;
	memcpy(key.peer, event->tuple.remote, sizeof(key.peer));
	key.peer_port = event->tuple.remote_port;
	return key;
}

static struct client_key client_of(const struct hs_ev_datagram *event, const struct hs_dns_message *message,
				   enum hs_side seen_at)
{
	const struct hs_tuple *tuple = &event->tuple;
	struct client_key key = { .id = message->id };

	memcpy(key.address, seen_at == HS_CLIENT ? tuple->local : tuple->remote, sizeof(key.address));
	key.port = seen_at == HS_CLIENT ? tuple->local_port : tuple->remote_port;
	key.netns = hs_address_is_loopback(key.address) ? tuple->netns : 0;
	return key;
}

static unsigned bucket_of(const struct hs_dns_message *message)
{
	unsigned hash = message->type;

	for (const char *at = message->name; *at; at++)
		hash = hash * 31 + (uint8_t)*at;
	return (hash ^ hash >> 16) % HS_LOOKUP_BUCKETS;
}

static bool asks_for(const struct hs_lookup *lookup, const struct hs_dns_message *message)
{
	return lookup->type == message->type && !strcmp(lookup->name, message->name);
}

static struct hs_lookup *find(struct hs_model *model, const struct lookup_key *key)
{
	struct hs_lookup *lookup;

	HASH_FIND(hh, model->lookups, key, sizeof(*key), lookup);
	return lookup;
}

static struct hs_lookup *find_client(struct hs_model *model, const struct client_key *key)
{
	struct hs_lookup *lookup;

	HASH_FIND(hh_client, model->lookup_clients, key, sizeof(*key), lookup);
	return lookup;
}

static void unlink_keys(struct hs_model *model, struct hs_lookup *lookup)
{
	HASH_DELETE(hh, model->lookups, lookup);
	if (lookup->seen_at == HS_CLIENT && find_client(model, &lookup->client) == lookup)
		HASH_DELETE(hh_client, model->lookup_clients, lookup);
}

/* To the end of the list: it was sent last. */
static void link_keys(struct hs_model *model, struct hs_lookup *lookup, const struct lookup_key *key,
		      const struct client_key *client)
{
	lookup->key = *key;
	lookup->client = *client;
	HASH_ADD(hh, model->lookups, key, sizeof(lookup->key), lookup);
	if (lookup->seen_at == HS_CLIENT && !find_client(model, client))
		HASH_ADD(hh_client, model->lookup_clients, client, sizeof(lookup->client), lookup);
}

static void forget(struct hs_model *model, struct hs_lookup *lookup)
{
	unlink_keys(model, lookup);
	DL_DELETE(model->lookup_names[lookup->bucket], lookup);
	hs_workload_unref(model, lookup->asks);
	free(lookup);
}

/* ---- from a lookup to an edge ---- */

static void ends_of(struct hs_model *model, const struct hs_lookup *lookup, struct hs_workload *workload[HS_SIDES])
{
	const uint8_t *server = lookup->address[HS_SERVER];
	const struct hs_listener *listener;

	workload[HS_CLIENT] = lookup->asks ? hs_workload_ref(lookup->asks) :
		hs_workload_of_address(model, lookup->address[HS_CLIENT]);
	workload[HS_SERVER] = hs_workload_of_pid(model, lookup->pid[HS_SERVER]);
	if (workload[HS_SERVER])
		return;
	/* Servers listen on TCP as well. */
	listener = lookup->seen_at == HS_CLIENT ?
		hs_listener_reached(model, lookup->netns, server, lookup->port[HS_SERVER]) :
		hs_listener_find(model, lookup->netns, server, lookup->port[HS_SERVER]);
	workload[HS_SERVER] = listener && listener->workload ? hs_workload_ref(listener->workload) :
		hs_workload_of_address(model, server);
}

static void log_ends(struct hs_model *model, const struct hs_lookup *lookup, struct hs_request *request,
		     struct hs_workload *workload[HS_SIDES])
{
	for (int side = 0; side < HS_SIDES; side++)
		hs_log_end(model, &request->end[side], lookup->address[side], lookup->port[side], lookup->pid[side],
			   side == (int)lookup->seen_at ? lookup->netns : 0, hs_workload_ref(workload[side]));
}

/* It is over; search_misses: what its answer told of earlier ones. */
static void finish(struct hs_model *model, struct hs_lookup *lookup, struct hs_call *call, unsigned search_misses)
{
	struct hs_workload *workload[HS_SIDES];
	struct hs_request *request;
	struct hs_edge *edge;

	call->id = lookup->key.id;
	call->request_ns = call->request_end_ns = lookup->first_ns;
	call->request_bytes = lookup->bytes;
	hs_dns_type_text(lookup->type, call->operation);
	hs_call_text(call->target, sizeof(call->target), (const uint8_t *)lookup->name, strlen(lookup->name));
	ends_of(model, lookup, workload);
	edge = hs_edge_get(model, workload[HS_CLIENT], workload[HS_SERVER], lookup->port[HS_SERVER]);
	edge->lookups.count++;
	edge->lookups.retries += lookup->retries;
	edge->lookups.search_misses += search_misses;
	model->counters.calls[hs_protocol_index(&hs_protocol_dns)]++;
	request = hs_call_count(model, edge, lookup->seen_at, &hs_protocol_dns, call, 0);
	if (request)
		log_ends(model, lookup, request, workload);
	hs_workload_unref(model, workload[HS_CLIENT]);
	hs_workload_unref(model, workload[HS_SERVER]);
	forget(model, lookup);
}

static void give_up(struct hs_model *model, struct hs_lookup *lookup)
{
	struct hs_call call = { .status = -1, .end = HS_CALL_UNANSWERED, .error = "timeout" };

	finish(model, lookup, &call, 0);
}

/* ---- queries ---- */

static bool is_same_server(const struct hs_lookup *lookup, const struct hs_ev_datagram *event)
{
	return lookup->port[HS_SERVER] == event->tuple.remote_port &&
	       !memcmp(lookup->address[HS_SERVER], event->tuple.remote, 16);
}

/* The same question, asked again by the same process: under its id, or a while later under a new one. */
static struct hs_lookup *find_retried(struct hs_model *model, const struct hs_ev_datagram *event,
				      const struct hs_dns_message *message)
{
	struct hs_lookup *lookup = model->lookup_names[bucket_of(message)];

	for (unsigned i = 0; lookup && i < LOOKED_AT; i++, lookup = lookup->next) {
		if (lookup->seen_at != HS_CLIENT || lookup->pid[HS_CLIENT] != event->pid ||
		    lookup->netns != event->tuple.netns || !asks_for(lookup, message) || !is_same_server(lookup, event))
			continue;
		if (lookup->key.id == message->id || lookup->last_ns + RETRY_NS <= event->event.time_ns)
			return lookup;
	}
	return NULL;
}

static void retry(struct hs_model *model, struct hs_lookup *lookup, const struct hs_ev_datagram *event,
		  const struct lookup_key *key, const struct client_key *client)
{
	unlink_keys(model, lookup);
	link_keys(model, lookup, key, client);
	lookup->port[lookup->seen_at] = event->tuple.local_port;
	lookup->last_ns = event->event.time_ns;
	lookup->retries++;
}

static struct hs_lookup *make(struct hs_model *model, const struct hs_ev_datagram *event,
			      const struct hs_dns_message *message, enum hs_side seen_at)
{
	struct hs_lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup) {
		count_loss(model, HS_L7_LOSS_CALLS);
		return NULL;
	}
	if (HASH_COUNT(model->lookups) >= LOOKUPS_MAX) {
		forget(model, model->lookups);
		count_loss(model, HS_L7_LOSS_CALLS);
	}
	lookup->seen_at = seen_at;
	memcpy(lookup->address[seen_at], event->tuple.local, 16);
	memcpy(lookup->address[hs_other_side(seen_at)], event->tuple.remote, 16);
	lookup->port[seen_at] = event->tuple.local_port;
	lookup->port[hs_other_side(seen_at)] = event->tuple.remote_port;
	lookup->netns = event->tuple.netns;
	lookup->pid[HS_CLIENT] = event->pid; /* a query arrives at a server without one */
	lookup->first_ns = lookup->last_ns = event->event.time_ns;
	lookup->bytes = event->length;
	lookup->type = message->type;
	memcpy(lookup->name, message->name, sizeof(lookup->name));
	lookup->bucket = bucket_of(message);
	DL_PREPEND(model->lookup_names[lookup->bucket], lookup);
	return lookup;
}

/* Its client tells of it, or would: it is on this node. */
static bool is_told_by_client(struct hs_model *model, const struct hs_ev_datagram *event,
			      const struct client_key *client)
{
	return find_client(model, client) || hs_address_is_loopback(event->tuple.remote) ||
	       hs_address_find(model, event->tuple.remote);
}

static void take_query(struct hs_model *model, const struct hs_ev_datagram *event,
		       const struct hs_dns_message *message, enum hs_side seen_at)
{
	struct lookup_key key = key_of(event, message, seen_at);
	struct client_key client = client_of(event, message, seen_at);
	struct hs_lookup *lookup = find(model, &key);

	if (seen_at == HS_CLIENT)
		hs_address_learn(model, event->tuple.local, event->tuple.netns);
	if (seen_at == HS_SERVER && is_told_by_client(model, event, &client))
		return;
	if (lookup && !asks_for(lookup, message)) {
		give_up(model, lookup); /* its id is used again */
		lookup = NULL;
	}
	if (!lookup && seen_at == HS_CLIENT)
		lookup = find_retried(model, event, message);
	if (lookup) {
		retry(model, lookup, event, &key, &client);
		return;
	}
	lookup = make(model, event, message, seen_at);
	if (!lookup)
		return;
	link_keys(model, lookup, &key, &client);
	lookup->asks = hs_workload_of_pid(model, event->pid);
}

/* ---- answers ---- */

static bool answers(const struct hs_lookup *lookup, const struct hs_dns_message *message)
{
	return !message->questions || asks_for(lookup, message);
}

static void take_answer(struct hs_model *model, const struct hs_ev_datagram *event,
			const struct hs_dns_message *message, enum hs_side seen_at)
{
	struct lookup_key key = key_of(event, message, seen_at);
	struct hs_lookup *lookup = find(model, &key);
	struct hs_call call = {
		.response_ns = event->event.time_ns, .response_end_ns = event->event.time_ns,
		.response_bytes = event->length, .status = message->rcode,
		.failed = hs_dns_rcode_is_failure(message->rcode),
	};
	unsigned misses = 0;

	if (!lookup || !answers(lookup, message))
		return; /* too late: it has been counted as such */
	hs_dns_rcode_text(message->rcode, call.error);
	if (seen_at == HS_CLIENT) {
		memcpy(lookup->address[HS_SERVER], event->tuple.remote, 16);
		if (message->rcode == HS_DNS_NOERROR && message->questions)
			hs_dns_names_learn(model, event, message, lookup->pid[HS_CLIENT]);
		if (message->questions)
			misses = hs_dns_search_take(model, lookup->pid[HS_CLIENT], lookup->netns, message,
						    event->event.time_ns);
	} else {
		lookup->pid[HS_SERVER] = event->pid;
	}
	finish(model, lookup, &call, misses);
}

/* A server here answers a client here, whose end tells the rest. */
static bool take_server(struct hs_model *model, const struct hs_ev_datagram *event,
			const struct hs_dns_message *message)
{
	struct client_key client = client_of(event, message, HS_SERVER);
	struct hs_lookup *lookup = find_client(model, &client);

	if (!lookup || !answers(lookup, message))
		return false;
	lookup->pid[HS_SERVER] = event->pid;
	return true;
}

/* ---- records ---- */

int hs_datagram_feed(struct hs_model *model, const struct hs_ev_datagram *event)
{
	bool leaves = event->direction == HS_DIRECTION_EGRESS;
	struct hs_dns_message message;
	enum hs_side seen_at;

	if (hs_dns_read(event->bytes, event->captured, &message)) {
		count_loss(model, HS_L7_LOSS_MESSAGES);
		return 0;
	}
	seen_at = message.answer == leaves ? HS_SERVER : HS_CLIENT;
	if ((seen_at == HS_CLIENT ? event->tuple.remote_port : event->tuple.local_port) != HS_DNS_PORT) {
		count_loss(model, HS_L7_LOSS_MESSAGES); /* no server that we know of would be asked */
		return 0;
	}
	if (message.opcode != HS_DNS_OPCODE_QUERY || (event->pid && event->pid == model->config.self_pid))
		return 0;
	if (!message.answer)
		take_query(model, event, &message, seen_at);
	else if (seen_at == HS_CLIENT || !take_server(model, event, &message))
		take_answer(model, event, &message, seen_at);
	return 0;
}

void hs_lookup_tick(struct hs_model *model)
{
	while (model->lookups && model->lookups->last_ns + TIMEOUT_NS <= model->now_ns)
		give_up(model, model->lookups);
}

void hs_lookup_free_all(struct hs_model *model)
{
	while (model->lookups)
		forget(model, model->lookups);
}
