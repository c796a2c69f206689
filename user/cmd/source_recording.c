// SPDX-License-Identifier: GPL-2.0-or-later
/* A recording, played through a model. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/command.h"
#include "cmd/recorder.h"
#include "cmd/source.h"
#include "cmd/source_view.h"

#define KEPT_EVENTS (1u << 18) /* pages that no event touches cost nothing */
#define KEPT_REQUESTS (1u << 18)

struct recording {
	struct hs_source source;
	struct hs_recording_header header;
	struct hs_model *model;
	struct hs_view view;
	uint64_t tick_ns;
	bool failed;
};

static void begin(void *arg, const struct hs_recording_header *header)
{
	struct recording *recording = arg;
	struct hs_model_config config = hs_model_defaults;

	config.max_events = KEPT_EVENTS;
	config.max_requests = KEPT_REQUESTS;
	config.self_pid = header->self_pid;
	config.node = header->node;
	recording->model = hs_model_new(&config);
	recording->failed = !recording->model;
	if (recording->model)
		hs_model_follow_requests(recording->model, true); /* all of them are there to be read */
}

static void sink(void *arg, const struct hs_event *event)
{
	struct recording *recording = arg;

	if (recording->failed)
		return;
	hs_model_feed(recording->model, event);
	if (event->time_ns >= recording->tick_ns + HS_NS_PER_SEC / 4) {
		recording->tick_ns = event->time_ns;
		hs_model_tick(recording->model, event->time_ns);
	}
}

static json_t *get(struct hs_source *source, const char *name)
{
	return hs_view_document(source, &((struct recording *)source)->view, name);
}

static int stream(struct hs_source *source, const char *name, const char *text,
		  int (*line)(void *arg, const char *text, size_t length), int (*idle)(void *arg), void *arg)
{
	struct recording *recording = (struct recording *)source;
	struct hs_event_query query;
	uint64_t next = 1;

	(void)idle;
	hs_event_query_parse(text, &recording->view, &query);
	return hs_view_stream(&recording->view, name, &query, &next, line, arg);
}

static void close_recording(struct hs_source *source)
{
	struct recording *recording = (struct recording *)source;

	hs_model_free(recording->model);
	free(recording);
}

static void fill_view(struct recording *recording)
{
	recording->view = (struct hs_view){
		.model = recording->model,
		.clock = { .realtime_offset_ns = recording->header.realtime_offset_ns },
		.kernel = recording->header.kernel,
		.cpu = "",
		.btf = "",
		.cgroup_root = "",
		.tracefs = "",
		.ready = true,
		.pass_count = hs_model_counters(recording->model)->passes,
	};
}

struct hs_source *hs_source_recording(const char *path, char *message, size_t size, int *status)
{
	struct recording *recording = calloc(1, sizeof(*recording));
	char problem[256] = "out of memory";
	int error = -ENOMEM;

	if (recording)
		error = hs_recording_play(path, &recording->header, begin, sink, recording, problem,
					  sizeof(problem));
	if (error || recording->failed) {
		snprintf(message, size, "%s: %s", path, problem);
		*status = error == -ENOMEM ? HS_EXIT_SOFTWARE : HS_EXIT_DATA;
		if (recording)
			close_recording(&recording->source);
		return NULL;
	}
	recording->source = (struct hs_source){
		.get = get,
		.stream = stream,
		.close = close_recording,
		.kind = "recording",
	};
	hs_model_settle(recording->model);
	fill_view(recording);
	return &recording->source;
}
