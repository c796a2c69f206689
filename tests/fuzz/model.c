// SPDX-License-Identifier: GPL-2.0-or-later
/* A stream of records, as the ring or a recording would hand it to the model. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "model/model.h"

/* One record at the front of data, in memory of its own size; the bytes it took. */
static size_t feed_one(struct hs_model *model, const uint8_t *data, size_t size)
{
	struct hs_event head;
	struct hs_event *event;

	memcpy(&head, data, sizeof(head));
	if (head.size < sizeof(head) || head.size > size)
		head.size = size < UINT16_MAX ? size : UINT16_MAX;
	event = malloc(head.size);
	memcpy(event, data, head.size);
	event->size = head.size;
	hs_model_feed(model, event);
	free(event);
	return head.size;
}

static void read_all(const struct hs_model *model)
{
	const struct hs_connection *connection = NULL;
	const struct hs_log_entry *entry;
	uint64_t next = 0, sum = 0;

	while ((connection = hs_model_next_connection(model, connection)))
		sum += connection->port[0];
	while ((entry = hs_model_log(model, next))) {
		next = entry->number + 1;
		sum += entry->end[0].port;
	}
	hs_fuzz_use(sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_model_config config = hs_model_defaults;
	struct hs_model *model;

	config.max_connections = 8; /* small, so that eviction is reached */
	config.max_edges = 4;
	config.max_workloads = 8;
	config.max_processes = 4;
	config.max_listeners = 4;
	config.max_events = 16;
	model = hs_model_new(&config);
	while (size >= sizeof(struct hs_event)) {
		size_t used = feed_one(model, data, size);

		data += used;
		size -= used;
	}
	hs_model_tick(model, hs_model_now(model) + 2000000000ull);
	read_all(model);
	hs_model_tick(model, hs_model_now(model) + 3600000000000ull);
	hs_model_free(model);
	return 0;
}
