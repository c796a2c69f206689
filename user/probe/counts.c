// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/counts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

/* Places in arrays of counters, which are made as they are needed. The first place stands for none. */
struct places {
	int map; /* of arrays */
	size_t value_size;
	uint32_t per_array, max;
	int *arrays; /* file descriptors */
	uint32_t array_count, used;
	uint32_t *free;
	size_t free_count;
};

/* What a place held when it was read last; it only grows. */
struct answer {
	uint32_t place;
	struct hs_count_key key;
	struct hs_count last;
	struct answer *next; /* of the same route */
	UT_hash_handle hh;   /* by place */
};

struct edge {
	uint32_t number, place;
	struct hs_edge_count last;
	UT_hash_handle hh;
};

struct route {
	struct hs_route_key key;
	struct hs_route value;
	struct answer *answers;
	UT_hash_handle hh; /* by number */
};

struct hs_counts {
	pthread_t first; /* makes the first arrays, until making is false */
	bool making;
	int routes;
	int cpus;
	struct places counts, edge_counts;
	void *values; /* of one place, of all CPUs */
	struct hs_ev_latencies *record;
	struct answer *answer;
	struct edge *edge;
	struct route *route;
};

/* ---- places ---- */

static bool places_init(struct places *p, int map, size_t value_size, uint32_t per_array, uint32_t max)
{
	*p = (struct places){ .map = map, .value_size = value_size, .per_array = per_array, .max = max, .used = 1 };
	p->arrays = calloc(max / per_array + 1, sizeof(*p->arrays));
	p->free = calloc(max + 1, sizeof(*p->free));
	return p->arrays && p->free;
}

static void places_free(struct places *p)
{
	for (uint32_t i = 0; i < p->array_count; i++)
		close(p->arrays[i]);
	free(p->arrays);
	free(p->free);
}

static bool add_array(struct places *p)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, NULL, sizeof(uint32_t), p->value_size, p->per_array, NULL);

	if (fd < 0)
		return false;
	if (bpf_map_update_elem(p->map, &p->array_count, &fd, BPF_ANY)) {
		close(fd);
		return false;
	}
	p->arrays[p->array_count++] = fd;
	return true;
}

/* A place with zeroes, or 0. */
static uint32_t take_place(struct places *p)
{
	if (p->free_count)
		return p->free[--p->free_count];
	if (p->used >= p->max || (p->used / p->per_array >= p->array_count && !add_array(p)))
		return 0;
	return p->used++;
}

static int read_place(const struct places *p, uint32_t place, void *values)
{
	uint32_t index = place % p->per_array;

	return bpf_map_lookup_elem(p->arrays[place / p->per_array], &index, values);
}

static void leave_place(struct places *p, uint32_t place, void *values, int cpus)
{
	uint32_t index = place % p->per_array;

	memset(values, 0, p->value_size * cpus);
	bpf_map_update_elem(p->arrays[place / p->per_array], &index, values, BPF_ANY);
	p->free[p->free_count++] = place;
}

/* ---- what is counted ---- */

/*
 * The kernel waits, 15 ms, until no program can be at work with a map of arrays that changes. Most agents need one array
 * of each kind: these are made while nobody waits for them, not amid the first calls.
 */
static void *make_first(void *arg)
{
	struct hs_counts *c = arg;

	add_array(&c->counts);
	add_array(&c->edge_counts);
	return NULL;
}

static void await_first(struct hs_counts *c)
{
	if (c->making)
		pthread_join(c->first, NULL);
	c->making = false;
}

struct hs_counts *hs_counts_new(const struct hs_counts_config *config)
{
	struct hs_counts *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->routes = config->routes;
	c->cpus = libbpf_num_possible_cpus();
	c->values = c->cpus > 0 ? calloc(c->cpus, sizeof(struct hs_edge_count)) : NULL;
	c->record = malloc(sizeof(*c->record) + HS_LATENCY_COUNTED_BINS * sizeof(c->record->bins[0]));
	if (places_init(&c->counts, config->counts, sizeof(struct hs_count), HS_COUNTS, config->max_counts) &&
	    places_init(&c->edge_counts, config->edges, sizeof(struct hs_edge_count), HS_EDGE_COUNTS,
			config->max_edges) && c->values && c->record) {
		c->making = !pthread_create(&c->first, NULL, make_first, c);
		return c;
	}
	hs_counts_free(c);
	return NULL;
}

void hs_counts_free(struct hs_counts *c)
{
	struct answer *answer, *next_answer;
	struct route *route, *next_route;
	struct edge *edge, *next_edge;

	if (!c)
		return;
	await_first(c);
	HASH_ITER(hh, c->answer, answer, next_answer) {
		HASH_DEL(c->answer, answer);
		free(answer);
	}
	HASH_ITER(hh, c->route, route, next_route) {
		HASH_DEL(c->route, route);
		free(route);
	}
	HASH_ITER(hh, c->edge, edge, next_edge) {
		HASH_DEL(c->edge, edge);
		free(edge);
	}
	places_free(&c->counts);
	places_free(&c->edge_counts);
	free(c->record);
	free(c->values);
	free(c);
}

static struct edge *find_edge(struct hs_counts *c, uint32_t number)
{
	struct edge *edge;

	HASH_FIND(hh, c->edge, &number, sizeof(number), edge);
	return edge;
}

static void forget_edge(struct hs_counts *c, struct edge *edge)
{
	leave_place(&c->edge_counts, edge->place, c->values, c->cpus);
	HASH_DEL(c->edge, edge);
	free(edge);
}

void hs_counts_edge(struct hs_counts *c, uint32_t number, bool wanted)
{
	struct edge *edge = find_edge(c, number);
	uint32_t place;

	if (!wanted && edge)
		forget_edge(c, edge);
	if (!wanted || edge)
		return;
	await_first(c);
	place = take_place(&c->edge_counts);
	edge = place ? calloc(1, sizeof(*edge)) : NULL;
	if (!edge)
		return;
	edge->number = number;
	edge->place = place;
	HASH_ADD(hh, c->edge, number, sizeof(edge->number), edge);
}

static struct route *find_route(struct hs_counts *c, uint32_t number)
{
	struct route *route;

	HASH_FIND(hh, c->route, &number, sizeof(number), route);
	return route;
}

static void forget_route(struct hs_counts *c, struct route *route)
{
	struct answer *next;

	bpf_map_delete_elem(c->routes, &route->key);
	for (struct answer *answer = route->answers; answer; answer = next) {
		next = answer->next;
		leave_place(&c->counts, answer->place, c->values, c->cpus);
		HASH_DEL(c->answer, answer);
		free(answer);
	}
	HASH_DEL(c->route, route);
	free(route);
}

void hs_counts_route(struct hs_counts *c, const struct hs_route_key *key, uint32_t number, bool wanted)
{
	struct edge *edge = find_edge(c, key->group / 2);
	struct route *route = find_route(c, number);

	if (!wanted && route)
		forget_route(c, route);
	if (!wanted || route || !edge)
		return;
	route = calloc(1, sizeof(*route));
	if (!route)
		return;
	route->key = *key;
	route->value.number = number;
	route->value.edge_place = edge->place;
	if (bpf_map_update_elem(c->routes, key, &route->value, BPF_ANY)) {
		free(route);
		return;
	}
	HASH_ADD(hh, c->route, value.number, sizeof(route->value.number), route);
}

void hs_counts_answer(struct hs_counts *c, const struct hs_count_key *key)
{
	struct route *route = find_route(c, key->route);
	struct answer *answer;
	size_t i = 0;

	if (!route)
		return;
	while (i < HS_ROUTE_ANSWERS && route->value.answer[i].place && route->value.answer[i].status != key->status)
		i++;
	if (i == HS_ROUTE_ANSWERS || route->value.answer[i].place)
		return;
	answer = calloc(1, sizeof(*answer));
	if (answer)
		answer->place = take_place(&c->counts);
	if (!answer || !answer->place) {
		free(answer);
		return;
	}
	answer->key = *key;
	answer->next = route->answers;
	route->answers = answer;
	HASH_ADD(hh, c->answer, place, sizeof(answer->place), answer);
	route->value.answer[i].status = key->status;
	route->value.answer[i].place = answer->place;
	bpf_map_update_elem(c->routes, &route->key, &route->value, BPF_ANY);
}

/* ---- reading ---- */

enum sign { PLUS = 1, MINUS = -1 }; /* unsigned counters: what was less in between comes out right */

static void add_u32(uint32_t *sum, enum sign sign, const uint32_t *more, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sum[i] += sign * more[i];
}

static void add_count(struct hs_count *sum, enum sign sign, const struct hs_count *more)
{
	sum->count += sign * more->count;
	sum->duration_ns += sign * more->duration_ns;
	sum->request_bytes += sign * more->request_bytes;
	sum->response_bytes += sign * more->response_bytes;
	add_u32(sum->bucket, sign, more->bucket, sizeof(sum->bucket) / sizeof(uint32_t));
	add_u32(sum->request_size, sign, more->request_size, sizeof(sum->request_size) / sizeof(uint32_t));
	add_u32(sum->response_size, sign, more->response_size, sizeof(sum->response_size) / sizeof(uint32_t));
	add_u32(sum->bin, sign, more->bin, HS_COUNT_BINS);
}

static void read_answer(struct hs_counts *c, struct answer *answer, uint64_t time_ns,
			void (*sink)(void *arg, const struct hs_event *event), void *arg)
{
	struct hs_ev_counted record = {
		.event = { .kind = HS_EV_COUNTED, .size = sizeof(record), .time_ns = time_ns }, .key = answer->key,
	};
	const struct hs_count *values = c->values;
	struct hs_count sum = {};

	if (read_place(&c->counts, answer->place, c->values))
		return;
	for (int cpu = 0; cpu < c->cpus; cpu++)
		add_count(&sum, PLUS, &values[cpu]);
	if (sum.count == answer->last.count)
		return;
	record.grown = sum;
	add_count(&record.grown, MINUS, &answer->last);
	answer->last = sum;
	sink(arg, &record.event);
}

static void add_edge(struct hs_edge_count *sum, enum sign sign, const struct hs_edge_count *more)
{
	for (int part = 0; part < HS_PART_MAX; part++) {
		sum->part_ns[part] += sign * more->part_ns[part];
		add_u32(sum->part[part], sign, more->part[part], HS_PART_BUCKETS + 2);
	}
	add_u32(sum->bin, sign, more->bin, HS_LATENCY_COUNTED_BINS);
}

static void write_growth(struct hs_ev_latencies *record, const struct hs_edge_count *growth)
{
	memcpy(record->part_ns, growth->part_ns, sizeof(record->part_ns));
	memcpy(record->part, growth->part, sizeof(record->part));
	for (uint32_t bin = 0; bin < HS_LATENCY_COUNTED_BINS; bin++)
		if (growth->bin[bin])
			record->bins[record->count++] = (struct hs_bin){ bin, growth->bin[bin] };
}

static void read_edge(struct hs_counts *c, struct edge *edge, uint64_t time_ns,
		      void (*sink)(void *arg, const struct hs_event *event), void *arg)
{
	struct hs_ev_latencies *record = c->record;
	const struct hs_edge_count *values = c->values;
	struct hs_edge_count sum = {}, growth;

	if (read_place(&c->edge_counts, edge->place, c->values))
		return;
	for (int cpu = 0; cpu < c->cpus; cpu++)
		add_edge(&sum, PLUS, &values[cpu]);
	if (!memcmp(&sum, &edge->last, sizeof(sum)))
		return;
	growth = sum;
	add_edge(&growth, MINUS, &edge->last);
	memset(record, 0, sizeof(*record));
	record->edge = edge->number;
	write_growth(record, &growth);
	record->event = (struct hs_event){
		.kind = HS_EV_LATENCIES, .time_ns = time_ns,
		.size = sizeof(*record) + record->count * sizeof(record->bins[0]),
	};
	edge->last = sum;
	sink(arg, &record->event);
}

void hs_counts_read(struct hs_counts *c, uint64_t time_ns, void (*sink)(void *arg, const struct hs_event *event),
		    void *arg)
{
	for (struct answer *answer = c->answer; answer; answer = answer->hh.next)
		read_answer(c, answer, time_ns, sink, arg);
	for (struct edge *edge = c->edge; edge; edge = edge->hh.next)
		read_edge(c, edge, time_ns, sink, arg);
}
