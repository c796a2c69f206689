// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pools that are used up: requests wait inside a process for a connection to another server. Nothing of that
 * wait is on the network, so it is inferred, once a pass, from what is: more requests wait for the process than it
 * has connections to that server, each of these waits for an answer, and it opens no other.
 */
#include "model/private.h"

#define WAITED_NS SECOND        /* what came later is just being served */
#define SETTLED_NS (2 * SECOND) /* for so long no connection was opened */
#define SMALLEST 2              /* one connection is no pool */
#define MAX_WAITED 64           /* processes that somebody waits for */
#define MAX_POOLS 128

/* A process, and how many requests wait for its answer. */
struct waited {
	uint32_t pid, requests;
};

struct pool {
	const struct waited *process;
	const struct hs_edge *edge;
	uint32_t connections, busy;
	bool opened; /* lately */
};

struct survey {
	struct waited waited[MAX_WAITED];
	struct pool pools[MAX_POOLS];
	size_t waited_count, pool_count;
};

static bool is_busy(const struct hs_connection *connection)
{
	return hs_talk_pending(connection);
}

static bool waits_long(const struct hs_model *model, const struct hs_connection *connection)
{
	const struct hs_call *call = hs_talk_pending(connection);

	return call && call->request_ns + WAITED_NS <= model->now_ns;
}

static struct waited *process_of(struct survey *survey, uint32_t pid)
{
	for (size_t i = 0; i < survey->waited_count; i++)
		if (survey->waited[i].pid == pid)
			return &survey->waited[i];
	return NULL;
}

static void count_waiting(struct hs_model *model, struct survey *survey, const struct hs_connection *connection)
{
	const struct hs_end *server = &connection->end[HS_SERVER];
	struct waited *process;

	if (!hs_is_met(model, server) || !server->pid || !waits_long(model, connection))
		return;
	process = process_of(survey, server->pid);
	if (!process && survey->waited_count == MAX_WAITED) {
		model->counters.dropped[HS_MODEL_LOSS_FINDING]++;
		return;
	}
	if (!process) {
		process = &survey->waited[survey->waited_count++];
		*process = (struct waited){ .pid = server->pid };
	}
	process->requests++;
}

/* The pool that this connection may be of; NULL: nobody waits for its process. */
static struct pool *pool_of(struct hs_model *model, struct survey *survey, const struct hs_connection *connection,
			    bool make)
{
	const struct hs_end *client = &connection->end[HS_CLIENT];
	const struct waited *process;

	if (!hs_is_met(model, client) || !client->pid || !connection->edge || !connection->established)
		return NULL;
	process = process_of(survey, client->pid);
	for (size_t i = 0; process && i < survey->pool_count; i++)
		if (survey->pools[i].process == process && survey->pools[i].edge == connection->edge)
			return &survey->pools[i];
	if (!process || !make)
		return NULL;
	if (survey->pool_count == MAX_POOLS) {
		model->counters.dropped[HS_MODEL_LOSS_FINDING]++;
		return NULL;
	}
	survey->pools[survey->pool_count] = (struct pool){ .process = process, .edge = connection->edge };
	return &survey->pools[survey->pool_count++];
}

static void count_pooled(struct hs_model *model, struct survey *survey, const struct hs_connection *connection)
{
	struct pool *pool = pool_of(model, survey, connection, true);

	if (!pool)
		return;
	pool->connections++;
	pool->busy += is_busy(connection);
	pool->opened |= connection->established_ns + SETTLED_NS > model->now_ns;
}

static bool is_exhausted(const struct pool *pool)
{
	return pool->connections >= SMALLEST && pool->busy == pool->connections && !pool->opened &&
	       pool->process->requests > pool->connections;
}

static void mark(struct hs_model *model, struct survey *survey, struct hs_connection *connection)
{
	const struct pool *pool = pool_of(model, survey, connection, false);

	if (!pool || !is_exhausted(pool))
		return;
	connection->pool_pass = model->pass;
	connection->pool_connections = pool->connections;
	connection->pool_waiting = pool->process->requests - pool->connections;
}

#define EACH(connection, model)                                                                                \
	for (struct hs_connection *connection = NULL;                                                           \
	     (connection = (struct hs_connection *)hs_model_next_connection(model, connection));)

void hs_pools_look(struct hs_model *model)
{
	struct survey survey;

	survey.waited_count = survey.pool_count = 0;
	EACH(connection, model)
		count_waiting(model, &survey, connection);
	if (!survey.waited_count)
		return; /* almost always */
	EACH(connection, model)
		count_pooled(model, &survey, connection);
	EACH(connection, model)
		mark(model, &survey, connection);
}
