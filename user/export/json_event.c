/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One event as one line of /api/v1/events. */
#include <assert.h>
#include <errno.h>

#include "export/json.h"
#include "export/json_document.h"

/* What a type of event tells besides its ends. Its values are 0 where they are not known. */
enum detail {
	DETAIL_DURATION = 1 << 0,
	DETAIL_DELAY = 1 << 1,
	DETAIL_BYTES = 1 << 2,
	DETAIL_SEGMENTS = 1 << 3, /* sent again over its life */
	DETAIL_REASON = 1 << 4,
	DETAIL_SENDER = 1 << 5,
	DETAIL_RETRANSMIT = 1 << 6,
	DETAIL_RESET = 1 << 7,
	DETAIL_ERROR = 1 << 8,
};

static const unsigned details[] = {
	[HS_LOG_CONNECT] = DETAIL_DURATION,
	[HS_LOG_ACCEPT] = DETAIL_DELAY,
	[HS_LOG_CLOSE] = DETAIL_DURATION | DETAIL_BYTES | DETAIL_SEGMENTS | DETAIL_ERROR,
	[HS_LOG_FAILURE] = DETAIL_REASON | DETAIL_DURATION | DETAIL_SEGMENTS | DETAIL_ERROR,
	[HS_LOG_RETRANSMIT] = DETAIL_SENDER | DETAIL_RETRANSMIT | DETAIL_ERROR,
	[HS_LOG_RESET] = DETAIL_SENDER | DETAIL_RESET,
	[HS_LOG_ERROR] = DETAIL_ERROR,
};
static_assert(sizeof(details) / sizeof(details[0]) == HS_LOG_MAX, "details");

static void put_bytes(struct hs_json *json, const struct hs_log_entry *entry)
{
	hs_json_put_number(json, "sent_bytes", entry->sent_bytes);
	hs_json_put_number(json, "received_bytes", entry->received_bytes);
}

static void put_retransmit(struct hs_json *json, const struct hs_log_entry *entry)
{
	hs_json_put_text(json, "retransmit_kind", hs_retransmit_name(entry->kind));
	hs_json_put_number(json, "segments", entry->segments);
	hs_json_put_known_number(json, "attempt", entry->attempt);
	if (entry->rto_us)
		hs_json_put_seconds(json, "rto_seconds", entry->rto_us, 1000000);
}

static void put_details(struct hs_json *json, const struct hs_log_entry *entry, unsigned set)
{
	if (set & DETAIL_REASON)
		hs_json_put_text(json, "reason", hs_reason_name(entry->reason));
	if (set & DETAIL_DURATION)
		hs_json_put_known_ns(json, "duration_seconds", entry->duration_ns);
	if (set & DETAIL_DELAY)
		hs_json_put_known_ns(json, "delay_seconds", entry->duration_ns);
	if (set & DETAIL_BYTES)
		put_bytes(json, entry);
	if (set & DETAIL_SEGMENTS)
		hs_json_put_number(json, "retransmitted_segments", entry->retransmits);
	if (set & DETAIL_SENDER)
		hs_json_put_text(json, "sender", hs_json_side[entry->sender]);
	if (set & DETAIL_RETRANSMIT)
		put_retransmit(json, entry);
	if (set & DETAIL_RESET && entry->reset_reason >= 0)
		hs_json_put_number(json, "reset_reason", (uint64_t)entry->reset_reason);
	if (set & DETAIL_ERROR)
		hs_json_put_errno(json, "error", entry->error);
}

static void put_end(struct hs_json *json, const char *key, const struct hs_log_end *end)
{
	struct hs_json_end shown = {
		.workload = end->workload,
		.address = end->address,
		.port = end->port,
		.pid = end->pid,
		.netns = end->netns,
		.comm = end->comm,
	};

	hs_json_put_end(json, key, &shown);
}

int hs_json_event(FILE *out, const struct hs_log_entry *entry, const struct hs_clock *clock)
{
	struct hs_json json;

	hs_json_begin(&json, out);
	hs_json_open(&json, NULL, '{');
	hs_json_put_text(&json, "apiVersion", HS_API_VERSION);
	hs_json_put_text(&json, "kind", "Event");
	hs_json_put_number(&json, "number", entry->number);
	hs_json_put_time(&json, "time", clock, entry->time_ns);
	hs_json_put_text(&json, "type", hs_log_type_name(entry->type));
	for (int side = 0; side < HS_SIDES; side++)
		put_end(&json, hs_json_side[side], &entry->end[side]);
	put_details(&json, entry, details[entry->type]);
	hs_json_close(&json, '}');
	hs_json_end(&json);
	return ferror_unlocked(out) ? -ENOMEM : 0;
}
