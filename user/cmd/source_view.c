// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/source_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "export/events.h"
#include "export/json.h"

json_t *hs_view_document(struct hs_source *source, const struct hs_view *view, const char *name)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	json_error_t problem = {};
	json_t *document = NULL;
	int error = -1;

	if (out) {
		error = hs_json_document(out, name, view);
		fclose(out);
	}
	if (!error)
		document = json_loadb(text, size, 0, &problem);
	if (!document)
		snprintf(source->message, sizeof(source->message), "cannot make the document '%s'%s%s", name,
			 *problem.text ? ": " : "", problem.text);
	free(text);
	return document;
}

static void parse_since(const char *text, const struct hs_view *view, struct hs_event_query *query)
{
	uint64_t now = hs_model_now(view->model), ago;
	int64_t unix_ns;

	if (hs_duration_parse(text, &ago))
		query->since_ns = ago < now ? now - ago : 1;
	else if (hs_time_parse(text, &unix_ns))
		query->since_ns = unix_ns > view->clock.realtime_offset_ns ?
			unix_ns - view->clock.realtime_offset_ns : 1;
}

void hs_event_query_parse(const char *text, const struct hs_view *view, struct hs_event_query *query)
{
	char *copy = strdup(text), *rest = copy, *part;

	*query = (struct hs_event_query){ .last = UINT64_MAX };
	while (copy && (part = strsep(&rest, "&"))) {
		if (!strncmp(part, "last=", 5))
			query->last = strtoull(part + 5, NULL, 10);
		else if (!strncmp(part, "since=", 6))
			parse_since(part + 6, view, query);
		else if (!strcmp(part, "follow=1"))
			query->follow = true;
	}
	free(copy);
}

static int hand_out(const struct hs_view *view, const struct hs_log_entry *entry,
		    int (*line)(void *arg, const char *text, size_t length), void *arg)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int result = 0;

	if (!out)
		return -1;
	if (!hs_json_event(out, entry, &view->clock) && !fclose(out) && size)
		result = line(arg, text, size - 1); /* without its '\n' */
	free(text);
	return result;
}

static int hand_out_request(const struct hs_view *view, const struct hs_request *request,
			    int (*line)(void *arg, const char *text, size_t length), void *arg)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int result = 0;

	if (!out)
		return -1;
	if (!hs_json_request(out, request, &view->clock) && !fclose(out) && size)
		result = line(arg, text, size - 1); /* without its '\n' */
	free(text);
	return result;
}

static int hand_out_requests(const struct hs_view *view, const struct hs_event_query *query, uint64_t *next,
			     int (*line)(void *arg, const char *text, size_t length), void *arg)
{
	uint64_t first = hs_requests_first(view->model, (int64_t)query->since_ns);
	uint64_t end = hs_model_request_end(view->model);
	const struct hs_request *request;
	int result = 0;

	if (first > *next)
		*next = first;
	if (end - *next > query->last)
		*next = end - query->last;
	while (!result && (request = hs_model_request(view->model, *next))) {
		*next = request->number + 1;
		result = hand_out_request(view, request, line, arg);
	}
	return result;
}

int hs_view_stream(const struct hs_view *view, const char *name, const struct hs_event_query *query, uint64_t *next,
		   int (*line)(void *arg, const char *text, size_t length), void *arg)
{
	struct hs_events events;
	int result;

	if (!strcmp(name, "requests"))
		return hand_out_requests(view, query, next, line, arg);
	result = hs_events_collect(&events, view->model, *next, query->since_ns, query->last);
	if (result)
		return result;
	*next = hs_model_log_end(view->model);
	for (size_t i = 0; !result && i < events.count; i++)
		result = hand_out(view, hs_model_log(view->model, events.place[i].number), line, arg);
	hs_events_free(&events);
	return result;
}
