// SPDX-License-Identifier: GPL-2.0-or-later
/* Nodes of the graph, and the processes that belong to them. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "model/private.h"

static const enum hs_workload_kind kind_of_source[] = {
	[HS_IDENTITY_EXECUTABLE] = HS_WORKLOAD_PROCESS,
	[HS_IDENTITY_UNIT] = HS_WORKLOAD_UNIT,
	[HS_IDENTITY_CONTAINER] = HS_WORKLOAD_CONTAINER,
	[HS_IDENTITY_POD] = HS_WORKLOAD_POD,
	[HS_IDENTITY_RULE] = HS_WORKLOAD_RULE,
};

struct hs_workload *hs_workload_ref(struct hs_workload *workload)
{
	if (workload)
		workload->references++;
	return workload;
}

void hs_workload_unref(struct hs_model *model, struct hs_workload *workload)
{
	if (!workload || --workload->references)
		return;
	HASH_DEL(model->workloads, workload);
	free(workload);
}

struct hs_workload *hs_workload_get(struct hs_model *model, const struct hs_identity *identity,
				    enum hs_workload_kind kind)
{
	struct hs_workload *workload;

	HASH_FIND_STR(model->workloads, identity->name, workload);
	if (workload && workload->kind == HS_WORKLOAD_DNS && kind != HS_WORKLOAD_DNS) {
		workload->identity = *identity; /* it is on this node: more is known of it */
		workload->kind = kind;
	}
	if (workload)
		return hs_workload_ref(workload);
	if (HASH_COUNT(model->workloads) >= model->config.max_workloads && model->other) {
		model->counters.dropped[HS_MODEL_LOSS_WORKLOAD]++;
		return hs_workload_ref(model->other);
	}
	workload = calloc(1, sizeof(*workload));
	if (!workload) {
		model->counters.dropped[HS_MODEL_LOSS_WORKLOAD]++;
		return hs_workload_ref(model->other);
	}
	workload->identity = *identity;
	workload->kind = kind;
	workload->references = 1;
	HASH_ADD_STR(model->workloads, identity.name, workload);
	return workload;
}

struct hs_workload *hs_workload_of_address(struct hs_model *model, const uint8_t address[16])
{
	struct hs_identity identity = {};

	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address))
		inet_ntop(AF_INET, address + 12, identity.name, sizeof(identity.name));
	else
		inet_ntop(AF_INET6, address, identity.name, sizeof(identity.name));
	return hs_workload_get(model, &identity, HS_WORKLOAD_ADDRESS);
}

static struct hs_process *find(struct hs_model *model, uint32_t pid)
{
	struct hs_process *process;

	HASH_FIND(hh, model->processes, &pid, sizeof(pid), process);
	return process;
}

static void forget(struct hs_model *model, struct hs_process *process)
{
	HASH_DEL(model->processes, process);
	hs_workload_unref(model, process->workload);
	free(process);
}

struct hs_workload *hs_workload_of_pid(struct hs_model *model, uint32_t pid)
{
	struct hs_process *process;

	if (!pid)
		return NULL;
	process = find(model, pid);
	if (!process && model->config.introduce) {
		model->config.introduce(model->config.introduce_arg, pid);
		process = find(model, pid);
	}
	return process ? hs_workload_ref(process->workload) : NULL;
}

static struct hs_process *make(struct hs_model *model, uint32_t pid)
{
	struct hs_process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	if (HASH_COUNT(model->processes) >= model->config.max_processes) {
		forget(model, model->processes); /* the head is the one introduced longest ago */
		model->counters.dropped[HS_MODEL_LOSS_PROCESS]++;
	}
	process->pid = pid;
	HASH_ADD(hh, model->processes, pid, sizeof(process->pid), process);
	return process;
}

int hs_process_feed(struct hs_model *model, const struct hs_ev_process *event)
{
	struct hs_process_facts facts;
	struct hs_identity identity;
	struct hs_process *process;
	struct hs_workload *before;

	if (!hs_process_facts(event, &facts))
		return -EBADMSG;
	facts.node = model->config.node;
	process = find(model, event->pid);
	if (!process)
		process = make(model, event->pid);
	if (!process)
		return -ENOMEM;
	hs_identify(&facts, model->config.rules, &identity);
	before = process->workload;
	process->workload = hs_workload_get(model, &identity, kind_of_source[identity.source]);
	hs_workload_unref(model, before);
	process->parent_pid = event->parent_pid;
	process->start_ns = event->start_ns;
	process->seen_ns = event->event.time_ns;
	hs_utf8_copy(process->comm, sizeof(process->comm), event->comm, strnlen(event->comm, HS_COMM_LEN));
	return 0;
}

void hs_process_free_all(struct hs_model *model)
{
	while (model->processes)
		forget(model, model->processes);
}
