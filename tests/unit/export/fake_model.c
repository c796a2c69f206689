/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_model.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Appends to a list by hh.next. */
#define APPEND(list, item)                                                         \
	do {                                                                       \
		void **at_ = (void **)&(list);                                     \
		while (*at_)                                                       \
			at_ = &((__typeof__(item))*at_)->hh.next;                  \
		*at_ = (item);                                                     \
	} while (0)

#define FREE_ALL(list)                                                             \
	for (void *next_, *item_ = (list); item_; item_ = next_) {                 \
		next_ = ((__typeof__(list))item_)->hh.next;                        \
		free(item_);                                                       \
	}

struct hs_model *fake_new(void)
{
	struct hs_model *model = calloc(1, sizeof(*model));

	model->now_ns = HS_NS_PER_SEC;
	model->log_next = 1;
	model->request_next = 1;
	return model;
}

static void free_calls(const struct hs_edge *edge)
{
	for (struct hs_calls *next, *calls = edge->calls; calls; calls = next) {
		next = calls->hh.next;
		hs_calls_free_measures(calls);
		free(calls);
	}
	free(edge->call_latency);
}

void fake_free(struct hs_model *model)
{
	FREE_ALL(model->workloads);
	for (const struct hs_edge *edge = model->edges; edge; edge = edge->hh.next) {
		free_calls(edge);
		free(edge->failures.kinds);
		free(edge->connection_failures.kinds);
	}
	FREE_ALL(model->edges);
	FREE_ALL(model->listeners);
	FREE_ALL(model->processes);
	FREE_ALL(model->findings);
	for (struct fake_connection *next, *at = model->connections; at; at = next) {
		next = at->next;
		free(at);
	}
	free(model);
}

struct hs_workload *fake_workload(struct hs_model *model, const char *name,
				  enum hs_workload_kind kind)
{
	struct hs_workload *workload;

	for (workload = model->workloads; workload; workload = workload->hh.next) {
		if (!strcmp(workload->identity.name, name))
			return workload;
	}
	workload = calloc(1, sizeof(*workload));
	strncpy(workload->identity.name, name, sizeof(workload->identity.name) - 1);
	workload->kind = kind;
	APPEND(model->workloads, workload);
	return workload;
}

struct hs_edge *fake_edge(struct hs_model *model, const char *client, const char *server,
			  uint16_t port)
{
	struct hs_edge *edge = calloc(1, sizeof(*edge));

	edge->key.client = fake_workload(model, client, HS_WORKLOAD_PROCESS);
	edge->key.server = fake_workload(model, server, HS_WORKLOAD_UNIT);
	edge->key.server_port = port;
	APPEND(model->edges, edge);
	return edge;
}

void fake_failure(struct hs_failures *failures, enum hs_reason reason, enum hs_cause cause,
		  uint64_t count)
{
	failures->kinds =
		reallocarray(failures->kinds, failures->count + 1, sizeof(*failures->kinds));
	failures->kinds[failures->count] = (struct hs_failure_count){ reason, cause, count, {} };
	failures->kinds[failures->count++].at[reason == HS_REASON_ABORTED ? HS_STAGE_TRANSFER : HS_STAGE_CONNECT] = count;
}

struct hs_listener *fake_listener(struct hs_model *model, const char *server, const char *address,
				  uint16_t port)
{
	struct hs_listener *listener = calloc(1, sizeof(*listener));

	if (server)
		listener->workload = fake_workload(model, server, HS_WORKLOAD_UNIT);
	fake_address(listener->address, address);
	listener->port = port;
	APPEND(model->listeners, listener);
	return listener;
}

struct hs_finding *fake_finding(struct hs_model *model, const char *client, const char *server,
				uint16_t port, enum hs_cause cause)
{
	struct hs_finding *finding = calloc(1, sizeof(*finding));

	finding->key.client = fake_workload(model, client, HS_WORKLOAD_PROCESS);
	finding->key.server = fake_workload(model, server, HS_WORKLOAD_UNIT);
	finding->key.server_port = port;
	finding->key.cause = cause;
	finding->count = 1;
	APPEND(model->findings, finding);
	return finding;
}

struct hs_process *fake_process(struct hs_model *model, uint32_t pid, const char *comm)
{
	struct hs_process *process = calloc(1, sizeof(*process));

	process->pid = pid;
	strncpy(process->comm, comm, sizeof(process->comm) - 1);
	APPEND(model->processes, process);
	return process;
}

struct hs_connection *fake_connection(struct hs_model *model)
{
	struct fake_connection *made = calloc(1, sizeof(*made));

	made->next = model->connections;
	model->connections = made;
	model->connection_count++;
	return &made->connection;
}

const struct hs_protocol fake_http = { .name = "http", .kind = HS_PROTOCOL_HTTP };
const struct hs_protocol fake_db = { .name = "postgresql", .kind = HS_PROTOCOL_DB };
const struct hs_protocol fake_dns = { .name = "dns", .kind = HS_PROTOCOL_DNS };
const struct hs_protocol fake_tls = { .name = "tls", .kind = HS_PROTOCOL_TLS };

struct hs_calls *fake_calls(struct hs_edge *edge, const struct hs_protocol *protocol, int status, unsigned count,
			    double duration_ms)
{
	const struct hs_call call = { .request_bytes = 100, .response_bytes = 2000 };
	struct hs_calls *calls = calloc(1, sizeof(*calls));

	calls->key.protocol = protocol;
	strcpy(calls->key.operation, "GET");
	strcpy(calls->key.route, "/users/{id}");
	calls->key.status = status;
	calls->key.failed = status >= 500;
	calls->key.seen_at = HS_SERVER;
	if (!edge->call_latency)
		edge->call_latency = calloc(1, sizeof(*edge->call_latency));
	for (unsigned i = 0; i < count; i++) {
		hs_calls_measure(calls, &call, (uint64_t)(duration_ms * HS_NS_PER_MS));
		hs_latency_add(edge->call_latency, (uint64_t)(duration_ms * HS_NS_PER_MS));
	}
	edge->call_count += count;
	edge->call_failures += status >= 500 ? count : 0;
	APPEND(edge->calls, calls);
	return calls;
}

/* GET /users/42, answered with 200 and 2000 bytes: sent in 1 ms, answered 10 ms later, over after 5 ms more. */
struct hs_request *fake_request(struct hs_model *model, const char *client, const char *server, uint16_t port)
{
	struct hs_request *request = &model->requests[model->request_next % FAKE_REQUESTS];
	uint64_t now = model->now_ns;

	*request = (struct hs_request){
		.number = model->request_next++, .protocol = &fake_http, .seen_at = HS_SERVER, .route = "/users/{id}",
		.duration_ns = 16 * HS_NS_PER_MS,
		.call = { .request_ns = now, .request_end_ns = now + HS_NS_PER_MS, .response_ns = now + 11 * HS_NS_PER_MS,
			  .response_end_ns = now + 16 * HS_NS_PER_MS, .response_bytes = 2000, .status = 200,
			  .operation = "GET", .target = "/users/42", .version = "1.1" },
	};
	request->end[HS_CLIENT].workload = fake_workload(model, client, HS_WORKLOAD_PROCESS);
	request->end[HS_SERVER].workload = fake_workload(model, server, HS_WORKLOAD_UNIT);
	request->end[HS_SERVER].port = port;
	return request;
}

const struct hs_request *hs_model_request(const struct hs_model *model, uint64_t from)
{
	uint64_t oldest = model->request_next > FAKE_REQUESTS ? model->request_next - FAKE_REQUESTS : 1;

	if (from < oldest)
		from = oldest;
	return from < model->request_next ? &model->requests[from % FAKE_REQUESTS] : NULL;
}

uint64_t hs_model_request_end(const struct hs_model *model)
{
	return model->request_next;
}

struct hs_log_entry *fake_event(struct hs_model *model, enum hs_log_type type)
{
	struct hs_log_entry *entry = &model->log[model->log_next % FAKE_LOG];

	*entry =
		(struct hs_log_entry){ .type = type, .time_ns = model->now_ns, .reset_reason = -1 };
	entry->number = model->log_next++;
	return entry;
}

void fake_address(uint8_t address[16], const char *text)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, address + sizeof(mapped)) == 1)
		memcpy(address, mapped, sizeof(mapped));
	else
		inet_pton(AF_INET6, text, address);
}

struct hs_view *fake_view(struct hs_model *model)
{
	static const struct hs_hook_status hooks[] = {
		{ .hook = "connect",
		  .gives = "calls",
		  .lost = "errors",
		  .attached = true,
		  .rung = 1,
		  .rungs = 2,
		  .ladder = { { "fexit", true, -EPERM, "no \"BTF\"\nfor it", NULL },
			      { "syscalls", true, 0, "", "a thing" } } },
		{ .hook = "retransmit",
		  .gives = "kinds",
		  .lost = "kinds",
		  .rung = -1,
		  .rungs = 1,
		  .ladder = { { "tp_btf", true, -EACCES, "", NULL } } },
	};
	static const struct hs_stage dropped[] = { { "ring_connection", 7 }, { "edges", 0 } };
	static const struct hs_capability capabilities[] = { { "CAP_BPF", "to load programs",
							       true } };
	static struct hs_view view;

	view = (struct hs_view){
		.model = model,
		.clock = { .realtime_offset_ns =
				   1767225600 * (int64_t)HS_NS_PER_SEC }, /* 2026-01-01 */
		.hooks = hooks,
		.hook_count = 2,
		.dropped = dropped,
		.dropped_count = 2,
		.capabilities = capabilities,
		.capability_count = 1,
		.kernel = "6.1.0",
		.btf = "/sys/kernel/btf/vmlinux",
		.cgroup_root = "",
		.tracefs = "mounted",
		.cpu = "x86_64",
		.ready = true,
		.started_ns = HS_NS_PER_SEC / 2,
		.map_bytes = 4096,
		.pass_count = 3,
		.pass_seconds = 0.25,
	};
	return &view;
}

const struct hs_model_counters *hs_model_counters(const struct hs_model *model)
{
	return &model->counters;
}

uint64_t hs_model_now(const struct hs_model *model)
{
	return model->now_ns;
}

const struct hs_edge *hs_model_edges(const struct hs_model *model)
{
	return model->edges;
}

const struct hs_finding *hs_model_findings(const struct hs_model *model)
{
	return model->findings;
}

const struct hs_listener *hs_model_listeners(const struct hs_model *model)
{
	return model->listeners;
}

const struct hs_connection *hs_model_next_connection(const struct hs_model *model,
						     const struct hs_connection *previous)
{
	const struct fake_connection *at = (const void *)previous;

	at = at ? at->next : model->connections;
	return at ? &at->connection : NULL;
}

size_t hs_model_connection_count(const struct hs_model *model)
{
	return model->connection_count;
}

const struct hs_process *hs_model_process(const struct hs_model *model, uint32_t pid)
{
	const struct hs_process *process = model->processes;

	while (process && process->pid != pid)
		process = process->hh.next;
	return process;
}

const struct hs_log_entry *hs_model_log(const struct hs_model *model, uint64_t from)
{
	uint64_t oldest = model->log_next > FAKE_LOG ? model->log_next - FAKE_LOG : 1;

	if (from < oldest)
		from = oldest;
	return from < model->log_next ? &model->log[from % FAKE_LOG] : NULL;
}

uint64_t hs_model_log_end(const struct hs_model *model)
{
	return model->log_next;
}
