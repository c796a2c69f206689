/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several documents show: ends, summaries of histograms, retransmits by kind. */
#include <assert.h>
#include <string.h>

#include "export/format.h"
#include "export/json_document.h"

static const char *const kind_names[] = {
	[HS_WORKLOAD_PROCESS] = "process",
	[HS_WORKLOAD_UNIT] = "unit",
	[HS_WORKLOAD_CONTAINER] = "container",
	[HS_WORKLOAD_POD] = "pod",
	[HS_WORKLOAD_RULE] = "rule",
	[HS_WORKLOAD_ADDRESS] = "address",
	[HS_WORKLOAD_DNS] = "dns",
	[HS_WORKLOAD_OTHER] = "other",
};
static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == HS_WORKLOAD_OTHER + 1, "kind_names");

const char *hs_workload_kind_name(enum hs_workload_kind kind)
{
	return kind_names[kind];
}

const char *const hs_json_side[HS_SIDES] = { [HS_CLIENT] = "client", [HS_SERVER] = "server" };

static void put_workload(struct hs_json *json, const struct hs_workload *workload)
{
	const struct hs_identity *identity = &workload->identity;

	hs_json_put_text(json, "name", identity->name);
	hs_json_put_text(json, "kind", kind_names[workload->kind]);
	hs_json_put_known_text(json, "namespace", identity->namespace_);
	hs_json_put_known_text(json, "container_id", identity->container_id);
	hs_json_put_known_text(json, "pod", identity->pod);
	hs_json_put_known_text(json, "pod_uid", identity->pod_uid);
	hs_json_put_known_text(json, "unit", identity->unit);
}

/* An end that nobody has told anything about still has a name. */
static void put_stranger(struct hs_json *json, const char *address)
{
	hs_json_put_text(json, "name", *address ? address : "unknown");
	hs_json_put_text(json, "kind",
			 kind_names[*address ? HS_WORKLOAD_ADDRESS : HS_WORKLOAD_OTHER]);
}

/* The client of a connect that failed at once has neither; a listener on 0.0.0.0 has a port. */
static bool has_address(const struct hs_json_end *end)
{
	static const uint8_t any[2][16] = { { 0 }, { [10] = 0xff, [11] = 0xff } };

	return end->port || (memcmp(end->address, any[0], 16) && memcmp(end->address, any[1], 16));
}

void hs_json_put_end(struct hs_json *json, const char *key, const struct hs_json_end *end)
{
	char address[HS_ADDRESS_LEN] = "";

	if (end->address && has_address(end))
		hs_format_address(address, end->address);
	hs_json_open(json, key, '{');
	if (end->workload)
		put_workload(json, end->workload);
	else
		put_stranger(json, address);
	hs_json_put_known_text(json, "address", address);
	hs_json_put_known_number(json, "port", end->port);
	hs_json_put_known_number(json, "pid", end->pid);
	hs_json_put_known_text(json, "comm", end->comm);
	hs_json_put_known_number(json, "netns", end->netns);
	hs_json_close(json, '}');
}

void hs_json_put_histogram(struct hs_json *json, const char *key,
			   const struct hs_histogram *histogram, const struct hs_buckets *buckets)
{
	hs_json_open(json, key, '{');
	hs_json_put_number(json, "count", hs_histogram_total(histogram));
	hs_json_put_real(json, "sum_seconds", histogram->sum);
	hs_json_put_real(json, "p50_seconds", hs_histogram_quantile(histogram, buckets, 0.50));
	hs_json_put_real(json, "p95_seconds", hs_histogram_quantile(histogram, buckets, 0.95));
	hs_json_put_real(json, "p99_seconds", hs_histogram_quantile(histogram, buckets, 0.99));
	hs_json_close(json, '}');
}

void hs_json_put_retransmits(struct hs_json *json, const char *key, const uint64_t *counts)
{
	hs_json_open(json, key, '{');
	for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++)
		hs_json_put_known_number(json, hs_retransmit_name(kind), counts[kind]);
	hs_json_close(json, '}');
}

const char *hs_json_comm(const struct hs_view *view, uint32_t pid)
{
	const struct hs_process *process = pid ? hs_model_process(view->model, pid) : NULL;

	return process ? process->comm : NULL;
}
