/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Samples of one family each. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "export/build.h"
#include "export/call_result.h"
#include "export/format.h"
#include "export/prometheus_page.h"
#include "model/finding.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define EXTRA_LEN 96

static void put(const struct hs_page *page, const char *text)
{
	fputs_unlocked(text, page->out);
}

/* labels may be empty, extra is written after them. */
static void put_sample(const struct hs_page *page, const struct hs_family *family,
		       const char *suffix, const struct hs_series *series, const char *extra,
		       const char *value)
{
	size_t len = series ? series->len : 0;

	put(page, family->name);
	put(page, suffix);
	if (len || *extra) {
		putc_unlocked('{', page->out);
		fwrite_unlocked(len ? series->labels : "", 1, len, page->out);
		if (len && *extra)
			putc_unlocked(',', page->out);
		put(page, extra);
		putc_unlocked('}', page->out);
	}
	putc_unlocked(' ', page->out);
	put(page, value);
	putc_unlocked('\n', page->out);
}

void hs_put_number(const struct hs_page *page, const struct hs_family *family, const struct hs_series *series,
		   const char *extra, uint64_t number)
{
	char text[HS_NUMBER_LEN];

	hs_format_number(text, number);
	put_sample(page, family, family->type->suffix, series, extra, text);
}

static void put_real(const struct hs_page *page, const struct hs_family *family,
		     const struct hs_series *series, double real)
{
	char text[HS_NUMBER_LEN];

	if (isnan(real))
		return;
	hs_format_real(text, real);
	if (!strcmp(text + strlen(text) - 2, ".0")) /* a whole number reads better as such */
		text[strlen(text) - 2] = '\0';
	put_sample(page, family, family->type->suffix, series, "", text);
}

static const void *member(const struct hs_series *series, const struct hs_family *family)
{
	return (const char *)series->item + family->offset;
}

void hs_write_numbers(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];

	for (size_t i = 0; i < set->count; i++)
		hs_put_number(page, family, &set->series[i], "",
			   *(const uint64_t *)member(&set->series[i], family));
}

void hs_write_reals(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];

	for (size_t i = 0; i < set->count; i++)
		put_real(page, family, &set->series[i],
			 *(const double *)member(&set->series[i], family));
}

void hs_bounds_make(struct hs_bounds *bounds, const struct hs_buckets *buckets)
{
	char number[HS_NUMBER_LEN];

	bounds->buckets = buckets;
	for (unsigned i = 0; i < buckets->count; i++) {
		hs_format_real(number, buckets->bound[i]);
		snprintf(bounds->text[i], sizeof(bounds->text[i]), "le=\"%s\"", number);
	}
	strcpy(bounds->text[buckets->count], "le=\"+Inf\"");
}

void hs_put_histogram(const struct hs_page *page, const struct hs_family *family, const struct hs_series *series,
		      const struct hs_histogram *histogram, const struct hs_bounds *bounds)
{
	uint64_t below = 0, total = hs_histogram_total(histogram);
	unsigned count = bounds->buckets->count;
	char text[HS_NUMBER_LEN];

	for (unsigned i = 0; i < count; i++) {
		below += histogram->count[i];
		hs_format_number(text, below);
		put_sample(page, family, "_bucket", series, bounds->text[i], text);
	}
	hs_format_number(text, total);
	put_sample(page, family, "_bucket", series, bounds->text[count], text);
	put_sample(page, family, "_count", series, "", text);
	hs_format_real(text, histogram->sum);
	put_sample(page, family, "_sum", series, "", text);
}

/* A histogram comes with its first observation: some ends never give any, and each is 20 lines. */
void hs_write_histograms(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];
	struct hs_bounds bounds;

	hs_bounds_make(&bounds, family->buckets);
	for (size_t i = 0; i < set->count; i++) {
		const struct hs_histogram *histogram = member(&set->series[i], family);

		if (hs_histogram_total(histogram))
			hs_put_histogram(page, family, &set->series[i], histogram, &bounds);
	}
}

/* One of the lists of an edge. */
void hs_write_failures(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];
	char extra[EXTRA_LEN];

	for (size_t i = 0; i < set->count; i++) {
		const struct hs_failures *failures = member(&set->series[i], family);

		for (size_t j = 0; j < failures->count; j++) {
			const struct hs_failure_count *kind = &failures->kinds[j];

			snprintf(extra, sizeof(extra), "reason=\"%s\",cause=\"%s\"",
				 hs_reason_name(kind->reason), hs_cause_name(kind->cause));
			hs_put_number(page, family, &set->series[i], extra, kind->count);
		}
	}
}

static uint64_t failures_at(const struct hs_failures *failures, enum hs_finding_stage stage, enum hs_cause cause)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < failures->count; i++)
		if (failures->kinds[i].cause == cause)
			sum += failures->kinds[i].at[stage];
	return sum;
}

/* Both lists of an edge, whatever the application got. */
void hs_write_stage_failures(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];
	char extra[EXTRA_LEN];

	for (size_t i = 0; i < set->count; i++) {
		const struct hs_edge *edge = set->series[i].item;

		if (!edge->failures.count && !edge->connection_failures.count)
			continue;
		for (int at = 0; at < HS_STAGE_MAX * HS_CAUSE_MAX; at++) {
			enum hs_finding_stage stage = at / HS_CAUSE_MAX;
			enum hs_cause cause = at % HS_CAUSE_MAX;
			uint64_t count = failures_at(&edge->failures, stage, cause) +
				failures_at(&edge->connection_failures, stage, cause);

			snprintf(extra, sizeof(extra), "stage=\"%s\",cause=\"%s\"", hs_stage_name(stage),
				 hs_cause_name(cause));
			if (count)
				hs_put_number(page, family, &set->series[i], extra, count);
		}
	}
}

/* Of edges to DNS servers: the others never have any. */
void hs_write_lookups(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];

	for (size_t i = 0; i < set->count; i++)
		if (((const struct hs_edge *)set->series[i].item)->lookups.count)
			hs_put_number(page, family, &set->series[i], "",
				      *(const uint64_t *)member(&set->series[i], family));
}

static_assert(HS_CAUSE_MAX <= 64, "stuck_seen");

/* What has hung once is shown as 0 when it is over: that it is gone would look like no news. */
void hs_write_stuck(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];
	char extra[EXTRA_LEN];

	for (size_t i = 0; i < set->count; i++) {
		const struct hs_edge *edge = set->series[i].item;

		for (int cause = 0; cause < HS_CAUSE_MAX; cause++) {
			if (!edge->stuck[cause] && !(edge->stuck_seen >> cause & 1))
				continue;
			snprintf(extra, sizeof(extra), "cause=\"%s\"", hs_cause_name(cause));
			hs_put_number(page, family, &set->series[i], extra, edge->stuck[cause]);
		}
	}
}

static const char *const senders[] = { [HS_CLIENT] = "client", [HS_SERVER] = "server" };

static void put_retransmits(const struct hs_page *page, const struct hs_family *family,
			    const struct hs_series *series, enum hs_side side)
{
	const struct hs_edge *edge = series->item;
	char extra[EXTRA_LEN];

	for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++) {
		if (!edge->retransmits[side][kind])
			continue;
		snprintf(extra, sizeof(extra), "sender=\"%s\",kind=\"%s\"", senders[side],
			 hs_retransmit_name(kind));
		hs_put_number(page, family, series, extra, edge->retransmits[side][kind]);
	}
}

void hs_write_retransmits(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];

	for (size_t i = 0; i < set->count; i++) {
		put_retransmits(page, family, &set->series[i], HS_CLIENT);
		put_retransmits(page, family, &set->series[i], HS_SERVER);
	}
}

void hs_write_resets(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_series_set *set = &page->sets[family->of];
	char extra[EXTRA_LEN];

	for (size_t i = 0; i < 2 * set->count; i++) {
		const struct hs_series *series = &set->series[i / 2];
		uint64_t resets = ((const struct hs_edge *)series->item)->resets[i % 2];

		snprintf(extra, sizeof(extra), "sender=\"%s\"", senders[i % 2]);
		if (resets)
			hs_put_number(page, family, series, extra, resets);
	}
}

void hs_write_dropped(const struct hs_page *page, const struct hs_family *family)
{
	char extra[EXTRA_LEN];

	for (size_t i = 0; i < page->view->dropped_count; i++) {
		snprintf(extra, sizeof(extra), "stage=\"%s\"", page->view->dropped[i].stage);
		hs_put_number(page, family, NULL, extra, page->view->dropped[i].count);
	}
}

void hs_write_hooks(const struct hs_page *page, const struct hs_family *family)
{
	char extra[EXTRA_LEN];

	for (size_t i = 0; i < page->view->hook_count; i++) {
		snprintf(extra, sizeof(extra), "hook=\"%s\"", page->view->hooks[i].hook);
		hs_put_number(page, family, NULL, extra, page->view->hooks[i].attached);
	}
}

void hs_write_rungs(const struct hs_page *page, const struct hs_family *family)
{
	char extra[EXTRA_LEN];

	for (size_t i = 0; i < page->view->hook_count; i++) {
		const struct hs_hook_status *hook = &page->view->hooks[i];

		if (hook->rung < 0 || hook->rung >= hook->rungs)
			continue;
		snprintf(extra, sizeof(extra), "hook=\"%s\",rung=\"%s\"", hook->hook,
			 hook->ladder[hook->rung].name);
		hs_put_number(page, family, NULL, extra, 1);
	}
}

void hs_write_build(const struct hs_page *page, const struct hs_family *family)
{
	char extra[256];

	snprintf(extra, sizeof(extra), "version=\"%s\",revision=\"%s\",compiler=\"%s\"", HS_VERSION,
		 hs_revision, HS_COMPILER);
	hs_put_number(page, family, NULL, extra, 1);
}

static const char *const event_kinds[] = {
	[HS_EV_PROCESS] = "process",
	[HS_EV_CONNECTION] = "connection",
	[HS_EV_ACCEPT] = "accept",
	[HS_EV_LISTENER] = "listener",
	[HS_EV_RETRANSMIT] = "retransmit",
	[HS_EV_RESET] = "reset",
	[HS_EV_SOCKET_ERROR] = "socket_error",
	[HS_EV_CONNECT_ERROR] = "connect_error",
	[HS_EV_PASS] = "pass",
	[HS_EV_LOSS] = "loss",
	[HS_EV_DROP] = "drop",
	[HS_EV_COUNTERS] = "counters",
	[HS_EV_STATUS] = "status",
	[HS_EV_ADDRESS] = "address",
	[HS_EV_DATA] = "data",
	[HS_EV_CALL] = "call",
	[HS_EV_COUNTED] = "counted",
	[HS_EV_LATENCIES] = "latencies",
	[HS_EV_DATAGRAM] = "datagram",
};
static_assert(ARRAY_LEN(event_kinds) == HS_EV_MAX, "event_kinds");

void hs_write_events(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_model_counters *counters = hs_model_counters(page->view->model);
	char extra[EXTRA_LEN];

	for (int kind = HS_EV_PROCESS; kind < HS_EV_MAX; kind++) {
		snprintf(extra, sizeof(extra), "kind=\"%s\"", event_kinds[kind]);
		hs_put_number(page, family, NULL, extra, counters->events[kind]);
	}
}

static void put_by_protocol(const struct hs_page *page, const struct hs_family *family, size_t place, uint64_t number)
{
	char extra[EXTRA_LEN];

	if (!hs_protocol_is_counted(place))
		return;
	snprintf(extra, sizeof(extra), "protocol=\"%s\"", place ? hs_protocols[place - 1]->name : "unknown");
	hs_put_number(page, family, NULL, extra, number);
}

void hs_write_l7_calls(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_model_counters *counters = hs_model_counters(page->view->model);

	for (size_t i = 1; i <= HS_PROTOCOLS_MAX && hs_protocols[i - 1]; i++)
		put_by_protocol(page, family, i, counters->calls[i]);
}

void hs_write_l7_losses(const struct hs_page *page, const struct hs_family *family)
{
	const struct hs_model_counters *counters = hs_model_counters(page->view->model);

	for (size_t i = 0; i <= HS_PROTOCOLS_MAX && (!i || hs_protocols[i - 1]); i++)
		put_by_protocol(page, family, i, counters->undecoded[i][family->offset]);
}
