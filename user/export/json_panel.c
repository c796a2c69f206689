/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two arrays that Grafana's node graph panel reads. Names of fields are the panel's; a node
 * shows what it serves, or what it asks for when it serves nothing: calls where the payload was
 * understood, else connections.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "export/json_calls.h"

#define STAT_LEN (HS_UNIT_LEN + 32)
#define MANY_ERRORS 0.05

struct load {
	double connects_per_second, failures_per_second, calls_per_second, failed_calls_per_second;
	uint64_t connects, failures, calls, failed_calls;
};

struct node {
	const struct hs_workload *workload;
	struct load load[HS_SIDES]; /* calls it makes, calls it serves */
	uint64_t active, stuck;
};

static int compare_nodes(const void *left, const void *right)
{
	const struct node *a = left, *b = right;

	return strcmp(a->workload->identity.name, b->workload->identity.name);
}

static void node_add(struct node *node, const struct hs_edge *edge, enum hs_side side)
{
	struct load *load = &node->load[side];

	load->connects_per_second += edge->rates.connects;
	load->failures_per_second += edge->rates.failures;
	load->connects += edge->connects;
	load->failures += hs_edge_failures(edge);
	load->calls_per_second += edge->rates.calls;
	load->failed_calls_per_second += edge->rates.call_failures;
	load->calls += edge->call_count;
	load->failed_calls += edge->call_failures;
	node->active += edge->active;
	node->stuck += hs_edge_stuck(edge);
}

static size_t unique(struct node *nodes, size_t count)
{
	size_t kept = 0;

	qsort(nodes, count, sizeof(*nodes), compare_nodes);
	for (size_t i = 0; i < count; i++) {
		if (!kept || compare_nodes(&nodes[kept - 1], &nodes[i]))
			nodes[kept++] = nodes[i];
	}
	return kept;
}

/* nodes has room for two per edge. Returns how many there are, in the order of their names. */
static size_t collect_nodes(struct node *nodes, const struct hs_edge *const *edges, size_t count)
{
	size_t found;

	for (size_t i = 0; i < count; i++) {
		nodes[2 * i] = (struct node){ .workload = edges[i]->key.client };
		nodes[2 * i + 1] = (struct node){ .workload = edges[i]->key.server };
	}
	found = unique(nodes, 2 * count);
	for (size_t i = 0; i < count; i++) {
		struct node client = { .workload = edges[i]->key.client };
		struct node server = { .workload = edges[i]->key.server };

		node_add(bsearch(&client, nodes, found, sizeof(*nodes), compare_nodes), edges[i],
			 HS_CLIENT);
		node_add(bsearch(&server, nodes, found, sizeof(*nodes), compare_nodes), edges[i],
			 HS_SERVER);
	}
	return found;
}

static void put_rate(struct hs_json *json, const char *key, double per_second, const char *what)
{
	char number[HS_UNIT_LEN], text[STAT_LEN];

	hs_unit_format(HS_UNIT_RATE, per_second, number);
	snprintf(text, sizeof(text), "%s %s/s", number, what);
	hs_json_put_text(json, key, text);
}

/* The part of the connects that failed: of late, or at all when nothing happened of late. */
static double failed_connects(const struct load *load)
{
	double failed = load->failures_per_second;
	double all = failed + load->connects_per_second;

	if (all <= 0) {
		failed = (double)load->failures;
		all = failed + (double)load->connects;
	}
	return all > 0 ? failed / all : 0;
}

/* A call that found no connection is none: the worse of the two tells. */
static double failed_part(const struct load *load)
{
	double calls = hs_call_error_ratio(load->calls_per_second, load->failed_calls_per_second, load->calls,
					   load->failed_calls);

	return fmax(failed_connects(load), calls); /* NaN is no number to fmax() */
}

static void put_node_stats(struct hs_json *json, const struct load *load)
{
	if (load->calls) {
		put_rate(json, "mainstat", load->calls_per_second, "req");
		put_rate(json, "secondarystat", load->failed_calls_per_second + load->failures_per_second, "errors");
	} else {
		put_rate(json, "mainstat", load->connects_per_second, "conn");
		put_rate(json, "secondarystat", load->failures_per_second, "failures");
	}
}

static void put_node(struct hs_json *json, const struct node *node)
{
	const struct hs_workload *workload = node->workload;
	const struct load *made = &node->load[HS_CLIENT], *served = &node->load[HS_SERVER];
	const struct load *shown = served->connects + served->failures + served->calls ? served : made;

	hs_json_open(json, NULL, '{');
	hs_json_put_text(json, "id", workload->identity.name);
	hs_json_put_text(json, "title", workload->identity.name);
	hs_json_put_text(json, "subtitle", hs_workload_kind_name(workload->kind));
	put_node_stats(json, shown);
	hs_json_put_real(json, "arc__success", 1 - failed_part(shown));
	hs_json_put_real(json, "arc__errors", failed_part(shown));
	hs_json_put_text(json, "detail__namespace", workload->identity.namespace_);
	hs_json_put_number(json, "detail__active_connections", node->active);
	hs_json_put_number(json, "detail__stuck_connections", node->stuck);
	hs_json_put_number(json, "detail__connects_made", made->connects);
	hs_json_put_number(json, "detail__connects_made_failed", made->failures);
	hs_json_put_number(json, "detail__connects_served", served->connects);
	hs_json_put_number(json, "detail__connects_served_failed", served->failures);
	hs_json_put_number(json, "detail__calls_made", made->calls);
	hs_json_put_number(json, "detail__calls_made_failed", made->failed_calls);
	hs_json_put_number(json, "detail__calls_served", served->calls);
	hs_json_put_number(json, "detail__calls_served_failed", served->failed_calls);
	hs_json_close(json, '}');
}

/* '>' is rarer in names than '-' is: a-b to c and a to b-c must not be one edge. */
static void put_edge_id(struct hs_json *json, const struct hs_edge *edge)
{
	char id[2 * HS_NAME_LEN + 16];

	snprintf(id, sizeof(id), "%s>%s:%u", edge->key.client->identity.name,
		 edge->key.server->identity.name, (unsigned)edge->key.server_port);
	hs_json_put_text(json, "id", id);
}

static void put_latency(struct hs_json *json, const struct hs_edge *edge)
{
	double p95 = edge->call_latency ? hs_latency_quantile(edge->call_latency, 0.95) :
					  hs_histogram_quantile(&edge->connect_duration, &hs_buckets_handshake, 0.95);
	char number[HS_UNIT_LEN], text[STAT_LEN] = "";

	if (isfinite(p95)) {
		hs_unit_format(HS_UNIT_SECONDS, p95, number);
		snprintf(text, sizeof(text), "p95 %s", number);
	}
	hs_json_put_text(json, "secondarystat", text);
}

static const char *edge_color(const struct hs_edge *edge)
{
	if (edge->rates.failures > 0 || (!edge->connects && hs_edge_failures(edge)) ||
	    hs_edge_stuck(edge) || hs_edge_error_ratio(edge) >= MANY_ERRORS)
		return "red";
	return edge->rates.retransmits > 0 || edge->rates.call_failures > 0 ? "orange" : "green";
}

static void put_edge(struct hs_json *json, const struct hs_edge *edge)
{
	bool calls = edge->call_count;
	double rate = calls ? edge->rates.calls : edge->rates.connects;
	double thickness = 1 + log10(1 + rate); /* 1000 a second: 4 */

	hs_json_open(json, NULL, '{');
	put_edge_id(json, edge);
	hs_json_put_text(json, "source", edge->key.client->identity.name);
	hs_json_put_text(json, "target", edge->key.server->identity.name);
	put_rate(json, "mainstat", rate, calls ? "req" : "conn");
	put_latency(json, edge);
	hs_json_put_real(json, "thickness", round(thickness * 10) / 10);
	hs_json_put_text(json, "color", edge_color(edge));
	hs_json_close(json, '}');
}

int hs_json_panel(struct hs_json *json, const struct hs_edge *const *edges, size_t count)
{
	struct node *nodes = calloc(2 * count + 1, sizeof(*nodes));
	size_t found;

	if (!nodes)
		return -ENOMEM;
	found = collect_nodes(nodes, edges, count);
	hs_json_open(json, "nodes", '[');
	for (size_t i = 0; i < found; i++)
		put_node(json, &nodes[i]);
	hs_json_close(json, ']');
	hs_json_open(json, "edges", '[');
	for (size_t i = 0; i < count; i++)
		put_edge(json, edges[i]);
	hs_json_close(json, ']');
	free(nodes);
	return 0;
}
