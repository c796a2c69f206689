// SPDX-License-Identifier: GPL-2.0-or-later
/* Recent events, in a ring: the newest push the oldest out, and numbers tell what was missed. */
#include <stdlib.h>

#include "model/private.h"

static void unref_ends(struct hs_model *model, struct hs_log_entry *entry)
{
	hs_workload_unref(model, entry->end[HS_CLIENT].workload);
	hs_workload_unref(model, entry->end[HS_SERVER].workload);
}

static void clear(struct hs_model *model, struct hs_log_entry *entry)
{
	unref_ends(model, entry);
	memset(entry, 0, sizeof(*entry));
}

struct hs_log_entry *hs_log_add(struct hs_model *model, enum hs_log_type type, uint64_t time_ns)
{
	struct hs_log_entry *entry = &model->log[model->log_next % model->config.max_events];

	clear(model, entry);
	entry->number = model->log_next++;
	entry->type = type;
	entry->time_ns = time_ns;
	entry->reset_reason = -1;
	return entry;
}

void hs_log_end(struct hs_model *model, struct hs_log_end *end, const uint8_t address[16], uint16_t port,
		uint32_t pid, uint32_t netns, struct hs_workload *workload)
{
	const struct hs_process *process = pid ? hs_model_process(model, pid) : NULL;

	memcpy(end->address, address, 16);
	end->port = port;
	end->pid = pid;
	end->netns = netns;
	end->workload = workload;
	if (process)
		memcpy(end->comm, process->comm, sizeof(end->comm));
}

static void write_ends(struct hs_model *model, struct hs_log_entry *entry, const struct hs_connection *connection)
{
	struct hs_workload *workload[HS_SIDES];

	hs_ends(model, connection, workload);
	for (int side = 0; side < HS_SIDES; side++)
		hs_log_end(model, &entry->end[side], connection->address[side], connection->port[side],
			   connection->end[side].pid, connection->end[side].netns, workload[side]);
}

void hs_log_ends(struct hs_model *model, struct hs_log_entry *entry, struct hs_connection *connection)
{
	write_ends(model, entry, connection);
	entry->previous = connection->log_number;
	connection->log_number = entry->number;
}

void hs_log_amend(struct hs_model *model, const struct hs_connection *connection)
{
	for (uint64_t number = connection->log_number; number;) {
		struct hs_log_entry *entry = &model->log[number % model->config.max_events];

		if (entry->number != number)
			return; /* forgotten, with those before */
		unref_ends(model, entry);
		write_ends(model, entry, connection);
		number = entry->previous;
	}
}

const struct hs_log_entry *hs_model_log(const struct hs_model *model, uint64_t from)
{
	uint64_t first = model->log_next > model->config.max_events ?
		model->log_next - model->config.max_events : 1;

	if (from < first)
		from = first;
	return from < model->log_next ? &model->log[from % model->config.max_events] : NULL;
}

uint64_t hs_model_log_end(const struct hs_model *model)
{
	return model->log_next;
}

void hs_log_free(struct hs_model *model)
{
	for (uint32_t i = 0; model->log && i < model->config.max_events && i < model->log_next; i++)
		clear(model, &model->log[i]);
	free(model->log);
}
