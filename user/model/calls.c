// SPDX-License-Identifier: GPL-2.0-or-later
/* From calls to edges: counted by route and result, and the recent ones kept. */
#include <stdlib.h>

#include "model/private.h"

#define SLOW_NS SECOND
#define SAMPLES 100       /* ordinary calls that are kept in a second when nobody follows */
#define EDGE_SHARE 4      /* one edge may have such a part of all routes */
/* DNS names have an account of their own, or those of one resolver would leave no room for routes. */
#define NAME_SHARE 2      /* such a part of max_routes again */
#define EDGE_NAME_SHARE 16

/* Without an answer it lasts until nobody waits any more: now. */
static uint64_t duration_of(const struct hs_model *model, const struct hs_call *call)
{
	uint64_t end_ns = call->response_end_ns ? call->response_end_ns : call->response_ns;

	if (call->end != HS_CALL_ANSWERED && !call->response_end_ns)
		end_ns = model->now_ns;
	return end_ns > call->request_ns ? end_ns - call->request_ns : 0;
}

/* ---- kinds of calls ---- */

/* Of a field its text alone: behind its end there is anything, and a key is hashed as bytes. `to` is zeroed. */
static void copy(char *to, const char *text, size_t size)
{
	memcpy(to, text, strnlen(text, size - 1));
}

void hs_route_of_call(const struct hs_model *model, const struct hs_call *call, char route[HS_ROUTE_LEN])
{
	memset(route, 0, HS_ROUTE_LEN);
	if (call->target[0] == '/' && !call->rpc) {
		if (!hs_route_patterns_match(model->config.routes, call->target, route))
			hs_route_of_path(call->target, route, HS_ROUTE_LEN);
		return;
	}
	copy(route, call->target, HS_ROUTE_LEN);
}

/* A client asks for a few things over and over: a pipeline of Redis a million times in a second. */
static struct hs_calls *find_recent(const struct hs_edge *edge, const struct hs_calls_key *key)
{
	for (int i = 0; i < HS_RECENT_CALLS; i++) {
		struct hs_calls *calls = edge->recent_calls[i];

		if (calls && !memcmp(&calls->key, key, sizeof(*key)))
			return calls;
	}
	return NULL;
}

static struct hs_calls *find(struct hs_edge *edge, const struct hs_calls_key *key)
{
	struct hs_calls *calls = find_recent(edge, key);

	if (calls)
		return calls;
	HASH_FIND(hh, edge->calls, key, sizeof(*key), calls);
	if (calls)
		edge->recent_calls[edge->recent_next++ % HS_RECENT_CALLS] = calls;
	return calls;
}

static size_t *counter_of(struct hs_model *model, const struct hs_calls_key *key)
{
	return key->protocol->kind == HS_PROTOCOL_DNS ? &model->name_count : &model->route_count;
}

static struct hs_calls *make(struct hs_model *model, struct hs_edge *edge, const struct hs_calls_key *key)
{
	struct hs_calls *calls = calloc(1, sizeof(*calls));

	if (!calls)
		return NULL;
	calls->key = *key;
	HASH_ADD(hh, edge->calls, key, sizeof(calls->key), calls);
	(*counter_of(model, key))++;
	return calls;
}

/* Only routes may be without number: results and operations are few. */
static struct hs_calls *get(struct hs_model *model, struct hs_edge *edge, struct hs_calls_key *key)
{
	bool dns = key->protocol->kind == HS_PROTOCOL_DNS;
	size_t max = model->config.max_routes / (dns ? NAME_SHARE : 1), made = *counter_of(model, key);
	struct hs_calls *calls = find(edge, key);

	if (calls)
		return calls;
	if (made < max && HASH_COUNT(edge->calls) < model->config.max_routes / (dns ? EDGE_NAME_SHARE : EDGE_SHARE))
		return make(model, edge, key);
	model->counters.dropped[HS_MODEL_LOSS_ROUTE]++;
	memset(key->route, 0, sizeof(key->route));
	strcpy(key->route, "~other");
	calls = find(edge, key);
	return calls || made >= 2 * max ? calls : make(model, edge, key);
}

static void add_part(struct hs_edge *edge, enum hs_part part, uint64_t from_ns, uint64_t to_ns)
{
	if (to_ns >= from_ns)
		hs_histogram_add(&edge->parts[part], &hs_buckets_part, (to_ns - from_ns) / 1e9);
}

/* Where its time went. Queue and service are seen where the server is. */
static void count_parts(struct hs_edge *edge, const struct hs_call *call, uint32_t rtt_us)
{
	if (rtt_us)
		add_part(edge, HS_PART_NETWORK, 0, rtt_us * 1000ull);
	if (!call->read_ns)
		return;
	add_part(edge, HS_PART_QUEUE, call->request_ns, call->read_ns);
	add_part(edge, HS_PART_SERVICE, call->read_ns, call->response_ns);
}

static void count(struct hs_edge *edge, const struct hs_call *call, uint64_t duration_ns, uint32_t rtt_us)
{
	edge->call_count++;
	edge->call_failures += call->failed || call->end != HS_CALL_ANSWERED;
	if (call->end != HS_CALL_ANSWERED)
		return;
	count_parts(edge, call, rtt_us);
	if (!edge->call_latency)
		edge->call_latency = calloc(1, sizeof(*edge->call_latency));
	if (edge->call_latency)
		hs_latency_add(edge->call_latency, duration_ns);
}

/* ---- recent calls ---- */

static bool is_kept(struct hs_model *model, const struct hs_call *call, uint64_t duration_ns)
{
	if (!model->config.max_requests)
		return false;
	if (model->requests_followed || call->failed || call->end != HS_CALL_ANSWERED || duration_ns > SLOW_NS)
		return true;
	if (model->now_ns - model->sample_ns >= SECOND) {
		model->sample_ns = model->now_ns;
		model->sampled = 0;
	}
	return model->sampled++ < SAMPLES;
}

static void clear(struct hs_model *model, struct hs_request *request)
{
	hs_workload_unref(model, request->end[HS_CLIENT].workload);
	hs_workload_unref(model, request->end[HS_SERVER].workload);
}

static struct hs_request *keep(struct hs_model *model, enum hs_side seen_at, const struct hs_calls_key *key,
			       const struct hs_call *call, uint64_t duration_ns)
{
	struct hs_request *request;

	if (!model->requests)
		model->requests = calloc(model->config.max_requests, sizeof(*model->requests));
	if (!model->requests)
		return NULL;
	request = &model->requests[model->request_next % model->config.max_requests];
	clear(model, request);
	*request = (struct hs_request){
		.number = ++model->request_next, .protocol = key->protocol, .call = *call, .seen_at = seen_at,
		.duration_ns = duration_ns,
	};
	memcpy(request->route, key->route, sizeof(request->route));
	return request;
}

const struct hs_request *hs_model_request(const struct hs_model *model, uint64_t from)
{
	uint64_t end = model->request_next, size = model->config.max_requests;
	uint64_t first = end > size ? end - size + 1 : 1;

	if (from < first)
		from = first;
	return from <= end ? &model->requests[(from - 1) % size] : NULL;
}

uint64_t hs_model_request_end(const struct hs_model *model)
{
	return model->request_next + 1;
}

void hs_model_follow_requests(struct hs_model *model, bool follows)
{
	model->requests_followed = follows;
	if (model->config.counting && model->config.counting->follow)
		model->config.counting->follow(model->config.introduce_arg, follows);
}

void hs_requests_free(struct hs_model *model)
{
	for (uint32_t i = 0; model->requests && i < model->config.max_requests && i < model->request_next; i++)
		clear(model, &model->requests[i]);
	free(model->requests);
	model->requests = NULL;
}

/* ---- both ---- */

struct hs_request *hs_call_count(struct hs_model *model, struct hs_edge *edge, enum hs_side seen_at,
				 const struct hs_protocol *protocol, const struct hs_call *call, uint32_t rtt_us)
{
	uint64_t duration_ns = duration_of(model, call);
	struct hs_calls *calls;
	struct hs_calls_key key;

	memset(&key, 0, sizeof(key)); /* it is hashed as bytes */
	key.protocol = protocol;
	copy(key.operation, call->operation, sizeof(key.operation));
	copy(key.error, call->error, sizeof(key.error));
	copy(key.version, call->version, sizeof(key.version));
	hs_route_of_call(model, call, key.route);
	key.status = call->status;
	key.end = call->end;
	key.seen_at = seen_at;
	key.rpc = call->rpc;
	key.failed = call->failed;
	calls = get(model, edge, &key);
	if (calls)
		hs_calls_measure(calls, call, duration_ns);
	if (calls && !call->counted && !calls->learned) {
		hs_counted_learn(model, edge, call, &calls->key);
		calls->learned = protocol->is_plain; /* one like the other */
	}
	if (protocol->kind != HS_PROTOCOL_TLS)
		count(edge, call, duration_ns, call->rtt_us ? call->rtt_us : rtt_us);
	edge->last_seen_ns = model->now_ns;
	return is_kept(model, call, duration_ns) ? keep(model, seen_at, &key, call, duration_ns) : NULL;
}

void hs_call_take(struct hs_model *model, struct hs_connection *connection, enum hs_side seen_at,
		  const struct hs_protocol *protocol, const struct hs_call *call)
{
	struct hs_workload *workload[HS_SIDES];
	struct hs_request *request;

	if (!connection->edge)
		hs_settle(model, connection);
	if (!connection->edge)
		return; /* the agent's own */
	request = hs_call_count(model, connection->edge, seen_at, protocol, call,
				connection->end[seen_at].tcp.srtt_us);
	if (!request)
		return;
	hs_ends(model, connection, workload);
	for (int side = 0; side < HS_SIDES; side++)
		hs_log_end(model, &request->end[side], connection->address[side], connection->port[side],
			   connection->end[side].pid, connection->end[side].netns, workload[side]);
}

void hs_calls_grow(struct hs_model *model, struct hs_edge *edge, struct hs_calls_key *key, const struct hs_count *grown)
{
	struct hs_calls *calls = get(model, edge, key);

	if (calls)
		hs_calls_measure_many(calls, grown);
	edge->call_count += grown->count;
	edge->last_seen_ns = model->now_ns;
}

void hs_calls_free(struct hs_model *model, struct hs_edge *edge)
{
	struct hs_calls *calls, *next;

	HASH_ITER(hh, edge->calls, calls, next) {
		HASH_DEL(edge->calls, calls);
		hs_calls_free_measures(calls);
		(*counter_of(model, &calls->key))--;
		free(calls);
	}
	free(edge->call_latency);
}
