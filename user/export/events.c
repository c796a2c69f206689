// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t hs_events_first(const struct hs_model *model, int64_t since_ns)
{
	const struct hs_log_entry *entry;
	uint64_t number = 1;

	while ((entry = hs_model_log(model, number)) && (int64_t)entry->time_ns < since_ns)
		number = entry->number + 1;
	return entry ? entry->number : hs_model_log_end(model);
}

uint64_t hs_requests_first(const struct hs_model *model, int64_t since_ns)
{
	const struct hs_request *request;
	uint64_t number = 1;

	while ((request = hs_model_request(model, number)) &&
	       (int64_t)(request->call.request_ns + request->duration_ns) < since_ns)
		number = request->number + 1;
	return request ? request->number : hs_model_request_end(model);
}

/* By time; what happened at once, as it came to be known. */
static int compare(const void *one, const void *other)
{
	const struct hs_event_place *a = one, *b = other;

	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

int hs_events_collect(struct hs_events *events, const struct hs_model *model, uint64_t from, int64_t since_ns,
		      uint64_t last)
{
	const struct hs_log_entry *entry = hs_model_log(model, from);
	size_t room = entry ? hs_model_log_end(model) - entry->number : 0, count = 0, older;
	struct hs_event_place *place = malloc((room + 1) * sizeof(*place));

	if (!place)
		return -ENOMEM;
	for (; entry; entry = hs_model_log(model, entry->number + 1))
		if ((int64_t)entry->time_ns >= since_ns)
			place[count++] = (struct hs_event_place){ entry->time_ns, entry->number };
	qsort(place, count, sizeof(*place), compare);
	older = count > last ? count - last : 0;
	memmove(place, place + older, (count - older) * sizeof(*place));
	*events = (struct hs_events){ place, count - older };
	return 0;
}

void hs_events_free(struct hs_events *events)
{
	free(events->place);
	*events = (struct hs_events){ 0 };
}
