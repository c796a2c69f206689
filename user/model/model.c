// SPDX-License-Identifier: GPL-2.0-or-later
/* The model as a whole: made, fed, moved through time, freed. */
#include "model/model.h"

#include <errno.h>
#include <stdlib.h>

#include "base/record.h"
#include "model/private.h"

#define EARLY_NS (3 * SECOND) /* by then a pass has met the client's socket, if it is on this node */

const struct hs_model_config hs_model_defaults = {
	.max_connections = 131072,
	.max_edges = 4096,
	.max_workloads = 8192,
	.max_processes = 8192,
	.max_listeners = 8192,
	.max_findings = 1024,
	.max_routes = 2000,
	.max_requests = 2000,
	.max_conversations = 20000,
	.close_wait_ns = 60 * SECOND,
	.max_events = 4096,
	.edge_ttl_ns = 15 * 60 * SECOND,
	.dns_names = true,
};

struct hs_model *hs_model_new(const struct hs_model_config *config)
{
	static const struct hs_identity other = { .name = "~other", .executable = "~other" };
	struct hs_model *model = calloc(1, sizeof(*model));

	if (!model)
		return NULL;
	model->config = *config;
	model->log_next = 1;
	model->log = calloc(config->max_events, sizeof(*model->log));
	if (model->log)
		model->other = hs_workload_get(model, &other, HS_WORKLOAD_OTHER);
	if (!model->other) {
		hs_model_free(model);
		return NULL;
	}
	return model;
}

void hs_model_free(struct hs_model *model)
{
	if (!model)
		return;
	hs_finding_free_all(model);
	hs_signals_free_all(model);
	hs_counters_free_all(model);
	hs_connection_free_all(model);
	hs_lookup_free_all(model);
	hs_dns_names_free_all(model);
	hs_dns_search_free_all(model);
	hs_listener_free_all(model);
	hs_edge_free_all(model);
	hs_log_free(model);
	hs_requests_free(model);
	hs_process_free_all(model);
	hs_address_free_all(model);
	hs_workload_unref(model, model->other);
	free(model);
}

static int feed_pass(struct hs_model *model, const struct hs_ev_pass *event)
{
	model->pass = event->number;
	if (!event->end) {
		model->pass_begin_ns = event->event.time_ns;
		return 0;
	}
	model->counters.passes++;
	hs_connection_pass_end(model);
	hs_listener_pass_end(model);
	hs_finding_pass_end(model);
	return 0;
}

static int feed_loss(struct hs_model *model, const struct hs_ev_loss *event)
{
	const int stage = HS_LOSS_RING_CONNECTION;

	if (event->count[stage] > model->counters.kernel_dropped[stage])
		hs_connection_doubt(model);
	model->loss_pass_ns = model->pass_begin_ns;
	memcpy(model->counters.kernel_dropped, event->count, sizeof(event->count));
	return 0;
}

static int dispatch(struct hs_model *model, const struct hs_event *event)
{
	switch ((enum hs_event_kind)event->kind) {
	case HS_EV_PROCESS:
		return hs_process_feed(model, (const void *)event);
	case HS_EV_CONNECTION:
		return hs_connection_feed(model, (const void *)event);
	case HS_EV_ACCEPT:
		return hs_accept_feed(model, (const void *)event);
	case HS_EV_LISTENER:
		return hs_listener_feed(model, (const void *)event);
	case HS_EV_RETRANSMIT:
		return hs_retransmit_feed(model, (const void *)event);
	case HS_EV_RESET:
		return hs_reset_feed(model, (const void *)event);
	case HS_EV_SOCKET_ERROR:
		return hs_socket_error_feed(model, (const void *)event);
	case HS_EV_CONNECT_ERROR:
		return hs_connect_error_feed(model, (const void *)event);
	case HS_EV_PASS:
		return feed_pass(model, (const void *)event);
	case HS_EV_LOSS:
		return feed_loss(model, (const void *)event);
	case HS_EV_DROP:
		hs_signal_drop(model, (const void *)event);
		return 0;
	case HS_EV_COUNTERS:
		hs_counters_feed(model, (const void *)event);
		return 0;
	case HS_EV_ADDRESS:
		hs_address_learn(model, ((const struct hs_ev_address *)event)->address,
				 ((const struct hs_ev_address *)event)->netns);
		return 0;
	case HS_EV_STATUS:
		hs_status_feed(model, (const void *)event);
		return 0;
	case HS_EV_DATA:
		return hs_data_feed(model, (const void *)event);
	case HS_EV_CALL:
		return hs_call_feed(model, (const void *)event);
	case HS_EV_COUNTED:
		return hs_counted_feed(model, (const void *)event);
	case HS_EV_LATENCIES:
		return hs_latencies_feed(model, (const void *)event);
	case HS_EV_DATAGRAM:
		return hs_datagram_feed(model, (const void *)event);
	case HS_EV_MAX:
		break;
	}
	return -EBADMSG;
}

/* A record that the model may have asked for amid another one: what that is about must stay. */
static bool is_answer(const struct hs_event *event)
{
	return event->kind == HS_EV_PROCESS || event->kind == HS_EV_COUNTERS || event->kind == HS_EV_STATUS;
}

int hs_model_feed(struct hs_model *model, const struct hs_event *event)
{
	int error;

	if (event->time_ns > model->now_ns)
		model->now_ns = event->time_ns; /* records of two CPUs may come out of order */
	if (!is_answer(event))
		hs_connection_reap(model);
	error = hs_record_check(event, event->size);
	if (!error)
		error = dispatch(model, event);
	if (error == -EBADMSG)
		model->counters.dropped[HS_MODEL_LOSS_RECORD]++;
	else
		model->counters.events[event->kind]++;
	return error;
}

void hs_model_tick(struct hs_model *model, uint64_t now_ns)
{
	if (now_ns > model->now_ns)
		model->now_ns = now_ns;
	hs_connection_reap(model);
	hs_connection_tick(model);
	hs_stray_tick(model);
	hs_early_tick(model, model->now_ns > EARLY_NS ? model->now_ns - EARLY_NS : 0);
	hs_lookup_tick(model);
	hs_edge_tick(model);
	if (model->expiry_ns + 60 * SECOND < model->now_ns) {
		model->expiry_ns = model->now_ns;
		hs_address_tick(model);
		hs_dns_names_tick(model);
		hs_signals_tick(model);
	}
}

void hs_model_settle(struct hs_model *model)
{
	hs_connection_settle(model);
	hs_stray_tick(model);
	hs_early_tick(model, UINT64_MAX);
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

const struct hs_listener *hs_model_listeners(const struct hs_model *model)
{
	return model->listeners;
}

const struct hs_process *hs_model_process(const struct hs_model *model, uint32_t pid)
{
	struct hs_process *process;

	HASH_FIND(hh, model->processes, &pid, sizeof(pid), process);
	return process;
}
