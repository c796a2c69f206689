/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls by the names of the semantic conventions. Labels are fewer than what the model tells
 * apart: series with the same labels stand behind one another, and are summed when written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/call_result.h"
#include "export/prometheus_page.h"

/* ---- labels ---- */

static void put_known(FILE *out, const char *name, const char *value)
{
	if (!*value)
		return;
	fputc(',', out);
	hs_series_label(out, name, value, '\0');
}

static void put_error_type(FILE *out, const struct hs_calls_key *key)
{
	struct hs_call_result result = hs_result_of_calls(key);
	char text[HS_RESULT_LEN];

	hs_result_error_type(&result, text);
	put_known(out, "error_type", text);
}

static void put_status(FILE *out, const char *name, const struct hs_calls_key *key)
{
	struct hs_call_result result = hs_result_of_calls(key);
	char text[HS_RESULT_LEN];

	hs_result_status(&result, text);
	put_known(out, name, text);
}

static void put_http(FILE *out, const struct hs_edge *edge, const struct hs_calls_key *key)
{
	if (key->seen_at == HS_CLIENT)
		put_known(out, "server_address", edge->key.server->identity.name);
	put_known(out, "http_request_method", *key->operation ? key->operation : "_OTHER");
	put_known(out, "url_scheme", "http");
	put_status(out, "http_response_status_code", key);
	put_known(out, "http_route", key->route);
	put_known(out, "network_protocol_version", key->version);
	put_error_type(out, key);
}

static void put_rpc(FILE *out, const struct hs_edge *edge, const struct hs_calls_key *key)
{
	if (key->seen_at == HS_CLIENT)
		put_known(out, "server_address", edge->key.server->identity.name);
	put_known(out, "rpc_system_name", "grpc");
	put_known(out, "rpc_method", *key->route ? key->route : "_OTHER");
	put_status(out, "rpc_response_status_code", key);
	put_error_type(out, key);
}

static void put_db(FILE *out, const struct hs_edge *edge, const struct hs_calls_key *key)
{
	(void)edge;
	put_known(out, "db_system_name", key->protocol->name);
	put_known(out, "db_operation_name", key->operation);
	put_known(out, "db_collection_name", key->route);
	put_status(out, "db_response_status_code", key);
	put_error_type(out, key);
}

static void put_dns(FILE *out, const struct hs_edge *edge, const struct hs_calls_key *key)
{
	(void)edge;
	put_known(out, "dns_question_name", *key->route ? key->route : ".");
	put_error_type(out, key);
}

static void put_tls(FILE *out, const struct hs_edge *edge, const struct hs_calls_key *key)
{
	(void)edge;
	put_known(out, "tls_protocol_version", key->version);
	put_error_type(out, key);
}

static void (*const put_labels[HS_SERIES_MAX])(FILE *out, const struct hs_edge *edge,
					       const struct hs_calls_key *key) = {
	[HS_SERIES_HTTP_SERVER] = put_http, [HS_SERIES_HTTP_CLIENT] = put_http,
	[HS_SERIES_RPC_SERVER] = put_rpc,   [HS_SERIES_RPC_CLIENT] = put_rpc,
	[HS_SERIES_DB] = put_db,	    [HS_SERIES_DNS] = put_dns,
	[HS_SERIES_TLS] = put_tls,	    [HS_SERIES_TLS_FAILED] = put_tls,
};

/* Of the service graph: what Grafana draws differently. Bounds of durations follow from it, too. */
static const char *connection_type(const struct hs_edge *edge, const struct hs_calls_key *key)
{
	if (key->protocol->kind == HS_PROTOCOL_DB)
		return "database";
	return key->seen_at == HS_CLIENT || edge->key.client->kind == HS_WORKLOAD_ADDRESS ? "virtual_node" : "";
}

static void put_graph(FILE *out, const struct hs_edge *edge, const struct hs_calls_key *key)
{
	hs_series_label(out, "client", edge->key.client->identity.name, ',');
	hs_series_label(out, "server", edge->key.server->identity.name, ',');
	hs_series_label(out, "connection_type", connection_type(edge, key), '\0');
}

/* ---- which series a kind of calls belongs to ---- */

static enum hs_series_of series_of(const struct hs_calls_key *key)
{
	bool at_server = key->seen_at == HS_SERVER;

	switch (key->protocol->kind) {
	case HS_PROTOCOL_DB:
		return HS_SERIES_DB;
	case HS_PROTOCOL_DNS:
		return HS_SERIES_DNS;
	case HS_PROTOCOL_TLS:
		return key->failed || key->end != HS_CALL_ANSWERED ? HS_SERIES_TLS_FAILED : HS_SERIES_TLS;
	case HS_PROTOCOL_HTTP:
		break;
	}
	if (key->rpc)
		return at_server ? HS_SERIES_RPC_SERVER : HS_SERIES_RPC_CLIENT;
	return at_server ? HS_SERIES_HTTP_SERVER : HS_SERIES_HTTP_CLIENT;
}

/* A handshake is no request. */
static bool is_member(const struct hs_calls_key *key, enum hs_series_of of)
{
	return of == HS_SERIES_GRAPH ? key->protocol->kind != HS_PROTOCOL_TLS : series_of(key) == of;
}

static void add(FILE *out, struct hs_series_set *set, enum hs_series_of of, const struct hs_edge *edge,
		const struct hs_calls *calls)
{
	if (of == HS_SERIES_GRAPH) {
		put_graph(out, edge, &calls->key);
	} else {
		hs_series_label(out, "client", edge->key.client->identity.name, ',');
		hs_series_label(out, "server", edge->key.server->identity.name, ',');
		hs_series_port(out, edge->key.server_port, '\0');
		put_labels[of](out, edge, &calls->key);
	}
	fputc('\0', out);
	set->series[set->count++].item = calls;
}

static int make_set(const struct hs_model *model, struct hs_series_set *set, enum hs_series_of of, size_t count)
{
	size_t size;
	FILE *out = hs_series_open(set, count, &size);
	int error;

	if (!out)
		return -ENOMEM;
	for (const struct hs_edge *edge = hs_model_edges(model); edge; edge = edge->hh.next)
		for (const struct hs_calls *calls = edge->calls; calls; calls = calls->hh.next)
			if (is_member(&calls->key, of))
				add(out, set, of, edge, calls);
	error = hs_series_close(out, set);
	if (!error)
		qsort(set->series, set->count, sizeof(*set->series), hs_series_compare);
	return error;
}

static void count_members(const struct hs_model *model, size_t count[HS_SERIES_MAX])
{
	for (const struct hs_edge *edge = hs_model_edges(model); edge; edge = edge->hh.next)
		for (const struct hs_calls *calls = edge->calls; calls; calls = calls->hh.next)
			for (int of = HS_SERIES_HTTP_SERVER; of < HS_SERIES_MAX; of++)
				count[of] += is_member(&calls->key, of);
}

int hs_series_of_calls(const struct hs_model *model, struct hs_series_set *sets)
{
	size_t count[HS_SERIES_MAX] = { 0 };
	int error = 0;

	count_members(model, count);
	for (int of = HS_SERIES_HTTP_SERVER; of < HS_SERIES_MAX && !error; of++)
		error = make_set(model, &sets[of], of, count[of]);
	return error;
}

/* ---- samples ---- */

/* The series behind this one that have its labels, this one included. */
static size_t run_length(const struct hs_series_set *set, size_t first)
{
	size_t length = 1;

	while (first + length < set->count && !hs_series_compare(&set->series[first], &set->series[first + length]))
		length++;
	return length;
}

static void histogram_add(struct hs_histogram *sum, const struct hs_histogram *other)
{
	if (!other)
		return;
	for (unsigned i = 0; i <= HS_HISTOGRAM_BUCKETS; i++)
		sum->count[i] += other->count[i];
	sum->sum += other->sum;
}

typedef const struct hs_histogram *(*picker)(const struct hs_calls *calls, const struct hs_family *family);

static const struct hs_histogram *pick_duration(const struct hs_calls *calls, const struct hs_family *family)
{
	(void)family;
	return &calls->duration;
}

static const struct hs_histogram *pick_at_server(const struct hs_calls *calls, const struct hs_family *family)
{
	(void)family;
	return calls->key.seen_at == HS_SERVER ? &calls->duration : NULL;
}

static const struct hs_histogram *pick_at_client(const struct hs_calls *calls, const struct hs_family *family)
{
	(void)family;
	return calls->key.seen_at == HS_CLIENT ? &calls->duration : NULL;
}

static const struct hs_histogram *pick_body(const struct hs_calls *calls, const struct hs_family *family)
{
	return calls->bodies ? (const void *)((const char *)calls->bodies + family->offset) : NULL;
}

/* buckets NULL: those of the calls. */
static void write_histograms(const struct hs_page *page, const struct hs_family *family, picker pick,
			     const struct hs_buckets *buckets)
{
	const struct hs_series_set *set = &page->sets[family->of];
	struct hs_bounds bounds = { 0 };
	size_t length;

	for (size_t i = 0; i < set->count; i += length) {
		const struct hs_buckets *wanted = buckets ? buckets : hs_calls_buckets(set->series[i].item);
		struct hs_histogram sum = { 0 };

		length = run_length(set, i);
		for (size_t j = 0; j < length; j++)
			histogram_add(&sum, pick(set->series[i + j].item, family));
		if (bounds.buckets != wanted)
			hs_bounds_make(&bounds, wanted);
		if (hs_histogram_total(&sum))
			hs_put_histogram(page, family, &set->series[i], &sum, &bounds);
	}
}

void hs_write_call_durations(const struct hs_page *page, const struct hs_family *family)
{
	write_histograms(page, family, pick_duration, NULL);
}

void hs_write_server_durations(const struct hs_page *page, const struct hs_family *family)
{
	write_histograms(page, family, pick_at_server, NULL);
}

void hs_write_client_durations(const struct hs_page *page, const struct hs_family *family)
{
	write_histograms(page, family, pick_at_client, NULL);
}

void hs_write_body_sizes(const struct hs_page *page, const struct hs_family *family)
{
	write_histograms(page, family, pick_body, &hs_buckets_body);
}

static void write_counts(const struct hs_page *page, const struct hs_family *family, bool failed)
{
	const struct hs_series_set *set = &page->sets[family->of];
	size_t length;

	for (size_t i = 0; i < set->count; i += length) {
		uint64_t sum = 0;

		length = run_length(set, i);
		for (size_t j = 0; j < length; j++) {
			const struct hs_calls *calls = set->series[i + j].item;

			if (!failed || calls->key.failed || calls->key.end != HS_CALL_ANSWERED)
				sum += calls->count;
		}
		hs_put_number(page, family, &set->series[i], "", sum);
	}
}

void hs_write_call_counts(const struct hs_page *page, const struct hs_family *family)
{
	write_counts(page, family, false);
}

void hs_write_failed_counts(const struct hs_page *page, const struct hs_family *family)
{
	write_counts(page, family, true);
}
