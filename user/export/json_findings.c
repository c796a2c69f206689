/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /api/v1/findings: what failed or hangs, and why; what was seen last comes first. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export/json_document.h"
#include "model/finding.h"

#define MAX_WHOLE 9007199254740992.0 /* above it a double has no room for every whole number */

static int compare(const void *left, const void *right)
{
	const struct hs_finding *a = *(const struct hs_finding *const *)left;
	const struct hs_finding *b = *(const struct hs_finding *const *)right;

	if (a->last_seen_ns != b->last_seen_ns)
		return a->last_seen_ns > b->last_seen_ns ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static void put_end(struct hs_json *json, const struct hs_finding *finding, enum hs_side side)
{
	const struct hs_log_end *end = &finding->end[side];
	struct hs_json_end shown = {
		.workload = side == HS_CLIENT ? finding->key.client : finding->key.server,
		.address = end->address,
		.port = end->port,
		.pid = end->pid,
		.netns = end->netns,
		.comm = end->comm,
	};

	if (side == HS_SERVER && !shown.port)
		shown.port = (uint16_t)finding->key.server_port;
	hs_json_put_end(json, hs_json_side[side], &shown);
}

static void put_side(struct hs_json *json, enum hs_side side)
{
	if (side < HS_SIDES)
		hs_json_put_text(json, "end", hs_json_side[side]);
}

/* A count has no point, as everywhere. */
static void put_count(struct hs_json *json, const char *key, double value)
{
	if (value >= 0 && value < MAX_WHOLE && value == floor(value))
		hs_json_put_number(json, key, (uint64_t)value);
	else
		hs_json_put_real(json, key, value);
}

static void put_evidence(struct hs_json *json, const struct hs_evidence *evidence)
{
	hs_json_open(json, NULL, '{');
	hs_json_put_known_text(json, "signal", evidence->signal);
	put_side(json, evidence->side);
	switch (evidence->unit) {
	case HS_EVIDENCE_TEXT:
		hs_json_put_text(json, "value", evidence->text);
		break;
	case HS_EVIDENCE_SECONDS:
		hs_json_put_real(json, "value", evidence->number);
		hs_json_put_text(json, "unit", "seconds");
		break;
	case HS_EVIDENCE_BYTES:
		put_count(json, "value", evidence->number);
		hs_json_put_text(json, "unit", "bytes");
		break;
	case HS_EVIDENCE_NONE:
		put_count(json, "value", evidence->number);
		break;
	}
	hs_json_close(json, '}');
}

/* What number is, depends: an errno is told by its name, as everywhere. */
static void put_number(struct hs_json *json, const struct hs_moment *moment)
{
	if (moment->type == HS_MOMENT_ERROR || moment->type == HS_MOMENT_ENDED)
		hs_json_put_errno(json, "error", (int)moment->number);
	else
		hs_json_put_known_number(json, "number", moment->number);
}

static void put_moment(struct hs_json *json, const struct hs_view *view,
		       const struct hs_moment *moment, uint64_t start_ns)
{
	hs_json_open(json, NULL, '{');
	hs_json_put_time(json, "time", &view->clock, moment->time_ns);
	if (start_ns && moment->time_ns >= start_ns)
		hs_json_put_seconds(json, "offset_seconds", moment->time_ns - start_ns,
				    HS_NS_PER_SEC);
	hs_json_put_text(json, "event", hs_moment_name(moment->type));
	put_side(json, moment->side);
	put_number(json, moment);
	hs_json_put_known_text(json, "text", moment->text);
	hs_json_close(json, '}');
}

/* An end that is known by its accept() alone has no socket's figures yet. */
static bool is_known(const struct hs_tcp *tcp)
{
	static const struct hs_tcp none;

	return memcmp(tcp, &none, sizeof(none));
}

static void put_sockets(struct hs_json *json, const struct hs_finding *finding)
{
	hs_json_open(json, "tcp", '{');
	for (int side = 0; side < HS_SIDES; side++) {
		if (!finding->has_tcp[side])
			continue;
		hs_json_open(json, hs_json_side[side], '{');
		hs_json_put_tcp_state(json, "state", finding->state[side]);
		if (is_known(&finding->tcp[side]))
			hs_json_put_tcp(json, &finding->tcp[side]);
		hs_json_close(json, '}');
	}
	hs_json_close(json, '}');
}

/* Of the latest connection; what hangs has lasted until now. */
static void put_duration(struct hs_json *json, const struct hs_view *view,
			 const struct hs_finding *finding)
{
	uint64_t end_ns = finding->end_ns ? finding->end_ns : hs_model_now(view->model);

	hs_json_put_time(json, "start", &view->clock, finding->start_ns);
	if (finding->start_ns && end_ns >= finding->start_ns)
		hs_json_put_seconds(json, "duration_seconds", end_ns - finding->start_ns,
				    HS_NS_PER_SEC);
}

static void put_verdict(struct hs_json *json, const struct hs_finding *finding)
{
	enum hs_cause cause = finding->key.cause;

	hs_json_put_text(json, "reason", hs_reason_name(finding->key.reason));
	hs_json_put_text(json, "ended_by", hs_ended_by_name(finding->key.ended_by));
	hs_json_put_text(json, "cause", hs_cause_name(cause));
	hs_json_put_text(json, "confidence", hs_confidence_name(finding->confidence));
	hs_json_put_text(json, "stage", hs_stage_name(finding->stage));
	hs_json_put_errno(json, "error", finding->error);
	hs_json_put_text(json, "summary", hs_cause_summary(cause));
}

static void put_finding(struct hs_json *json, const struct hs_view *view,
			const struct hs_finding *finding)
{
	uint64_t start_ns = finding->timeline_count ? finding->timeline[0].time_ns : 0;
	char id[16];

	snprintf(id, sizeof(id), "%08x", finding->id);
	hs_json_open(json, NULL, '{');
	hs_json_put_text(json, "id", id);
	put_verdict(json, finding);
	put_end(json, finding, HS_CLIENT);
	put_end(json, finding, HS_SERVER);
	hs_json_put_number(json, "count", finding->count);
	hs_json_put_number(json, "stuck", finding->stuck);
	hs_json_put_time(json, "first_seen", &view->clock, finding->first_seen_ns);
	hs_json_put_time(json, "last_seen", &view->clock, finding->last_seen_ns);
	put_duration(json, view, finding);
	hs_json_open(json, "timeline", '[');
	for (size_t i = 0; i < finding->timeline_count; i++)
		put_moment(json, view, &finding->timeline[i], start_ns);
	hs_json_close(json, ']');
	put_sockets(json, finding);
	hs_json_open(json, "evidence", '[');
	for (size_t i = 0; i < finding->evidence_count; i++)
		put_evidence(json, &finding->evidence[i]);
	hs_json_close(json, ']');
	hs_json_put_text(json, "remedy", hs_cause_remedy(finding->key.cause));
	hs_json_close(json, '}');
}

int hs_json_findings(struct hs_json *json, const struct hs_view *view)
{
	const struct hs_finding *finding, **sorted;
	size_t count = 0, at = 0;

	for (finding = hs_model_findings(view->model); finding; finding = finding->hh.next)
		count++;
	sorted = malloc((count + 1) * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (finding = hs_model_findings(view->model); finding; finding = finding->hh.next)
		sorted[at++] = finding;
	qsort(sorted, count, sizeof(*sorted), compare);
	hs_json_open(json, "items", '[');
	for (size_t i = 0; i < count; i++)
		put_finding(json, view, sorted[i]);
	hs_json_close(json, ']');
	free(sorted);
	return 0;
}
