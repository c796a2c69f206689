/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /api/v1/listeners: one item per socket, the fullest first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/json_document.h"

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_listeners(const void *left, const void *right)
{
	const struct hs_listener *a = *(const struct hs_listener *const *)left;
	const struct hs_listener *b = *(const struct hs_listener *const *)right;
	int order = compare_numbers(b->drops, a->drops);

	if (!order)
		order = compare_numbers(b->backlog, a->backlog);
	if (!order)
		order = compare_numbers(a->port, b->port);
	if (!order)
		order = memcmp(a->address, b->address, sizeof(a->address));
	return order ? order : compare_numbers(a->cookie, b->cookie);
}

static void put_end(struct hs_json *json, const struct hs_view *view,
		    const struct hs_listener *listener)
{
	const struct hs_json_end end = {
		.workload = listener->workload,
		.address = listener->address,
		.port = listener->port,
		.pid = listener->pid,
		.netns = listener->netns,
		.comm = hs_json_comm(view, listener->pid),
	};

	hs_json_put_end(json, "server", &end);
}

static void put_listener(struct hs_json *json, const struct hs_view *view,
			 const struct hs_listener *listener)
{
	hs_json_open(json, NULL, '{');
	put_end(json, view, listener);
	hs_json_put_known_number(json, "inode", listener->inode);
	hs_json_put_known_number(json, "cookie", listener->cookie);
	hs_json_put_number(json, "backlog", listener->backlog);
	hs_json_put_number(json, "backlog_limit", listener->backlog_limit);
	hs_json_put_number(json, "syn_queue", listener->syn_queue);
	hs_json_put_number(json, "drops", listener->drops);
	hs_json_put_number(json, "overflows", listener->overflows);
	hs_json_put_number(json, "syn_ack_retransmits", listener->synack_retrans);
	hs_json_put_number(json, "accepts", listener->accepts);
	/* Nobody waits: 0. Somebody waits and the kernel could not tell how long: absent. */
	if (listener->oldest_wait_ns || !listener->backlog)
		hs_json_put_seconds(json, "oldest_wait_seconds", listener->oldest_wait_ns,
				    HS_NS_PER_SEC);
	hs_json_put_histogram(json, "accept_delay", &listener->accept_delay, &hs_buckets_handshake);
	hs_json_put_time(json, "first_seen", &view->clock, listener->first_seen_ns);
	hs_json_close(json, '}');
}

int hs_json_listeners(struct hs_json *json, const struct hs_view *view)
{
	const struct hs_listener *listener, **sorted;
	size_t count = 0;

	for (listener = hs_model_listeners(view->model); listener; listener = listener->hh.next)
		count++;
	sorted = malloc((count + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	count = 0;
	for (listener = hs_model_listeners(view->model); listener; listener = listener->hh.next) {
		if (!listener->own)
			sorted[count++] = listener;
	}
	qsort(sorted, count, sizeof(*sorted), compare_listeners);
	hs_json_open(json, "items", '[');
	for (size_t i = 0; i < count; i++)
		put_listener(json, view, sorted[i]);
	hs_json_close(json, ']');
	free(sorted);
	return 0;
}
