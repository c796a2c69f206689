// SPDX-License-Identifier: GPL-2.0-or-later
/* An agent of the command's own, for as long as it runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/command.h"
#include "cmd/engine.h"
#include "cmd/source.h"
#include "cmd/source_view.h"

struct local {
	struct hs_source source;
	struct hs_engine *engine;
};

static json_t *get(struct hs_source *source, const char *name)
{
	struct local *local = (struct local *)source;
	const struct hs_view *view = hs_engine_lock(local->engine, true);
	json_t *document = hs_view_document(source, view, name);

	hs_engine_unlock(local->engine);
	return document;
}

static int stream(struct hs_source *source, const char *name, const char *text,
		  int (*line)(void *arg, const char *text, size_t length), int (*idle)(void *arg), void *arg)
{
	struct local *local = (struct local *)source;
	const struct hs_view *view;
	struct hs_event_query query;
	uint64_t next = 1;
	int result;

	if (!strcmp(name, "requests"))
		hs_engine_follow_requests(local->engine, true);
	else
		hs_engine_follow(local->engine, true);
	view = hs_engine_lock(local->engine, true);
	hs_event_query_parse(text, view, &query);
	result = hs_view_stream(view, name, &query, &next, line, arg);
	hs_engine_unlock(local->engine);
	query.since_ns = 0; /* what comes to be known from now on is new, whenever it happened */
	while (!result && query.follow) {
		hs_engine_wait(local->engine);
		hs_engine_turn(local->engine);
		view = hs_engine_lock(local->engine, false);
		result = hs_view_stream(view, name, &query, &next, line, arg);
		hs_engine_unlock(local->engine);
		if (!result && idle)
			result = idle(arg);
	}
	return result;
}

static void close_local(struct hs_source *source)
{
	struct local *local = (struct local *)source;

	hs_engine_close(local->engine);
	free(local);
}

/* Two passes: rates and ends need a before and an after. */
static void warm_up(struct hs_engine *engine)
{
	const struct timespec pause = { .tv_nsec = HS_TURN_MS * HS_NS_PER_MS };

	hs_engine_turn(engine);
	nanosleep(&pause, NULL);
	hs_engine_pass(engine);
}

struct hs_source *hs_source_local(char *message, size_t size, int *status)
{
	struct local *local = calloc(1, sizeof(*local));
	struct hs_engine_config config;
	int error;

	hs_engine_defaults(&config);
	snprintf(message, size, "out of memory");
	error = local ? hs_engine_open(&config, &local->engine, message, size) : -ENOMEM;
	if (error) {
		*status = error == -EPERM || error == -EACCES ? HS_EXIT_NOPERM : HS_EXIT_UNAVAILABLE;
		free(local);
		return NULL;
	}
	local->source = (struct hs_source){
		.get = get,
		.stream = stream,
		.close = close_local,
		.kind = "local",
		.live = true,
	};
	warm_up(local->engine);
	return &local->source;
}
