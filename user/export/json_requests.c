/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single calls: /api/v1/requests as a document and, followed, as lines. */
#include <errno.h>

#include "export/call_result.h"
#include "export/json.h"
#include "export/json_calls.h"
#include "export/json_document.h"

static void put_end(struct hs_json *json, const char *key, const struct hs_log_end *end)
{
	const struct hs_json_end shown = {
		.workload = end->workload, .address = end->address, .port = end->port, .pid = end->pid,
		.netns = end->netns, .comm = end->comm,
	};

	hs_json_put_end(json, key, &shown);
}

static void put_span(struct hs_json *json, const char *key, uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns && to_ns >= from_ns)
		hs_json_put_seconds(json, key, to_ns - from_ns, HS_NS_PER_SEC);
}

/* Where the time went: until it was asked, until the answer began, until it was whole. */
static void put_times(struct hs_json *json, const struct hs_request *request)
{
	const struct hs_call *call = &request->call;

	hs_json_put_seconds(json, "duration_seconds", request->duration_ns, HS_NS_PER_SEC);
	put_span(json, "send_seconds", call->request_ns, call->request_end_ns);
	put_span(json, "wait_seconds", call->request_end_ns, call->response_ns);
	put_span(json, "receive_seconds", call->response_ns, call->response_end_ns);
	hs_json_put_known_ns(json, "timeout_seconds", call->timeout_ns);
}

static void put_result(struct hs_json *json, const struct hs_request *request)
{
	struct hs_call_result result = hs_result_of_request(request);
	char text[HS_RESULT_LEN];

	hs_result_status(&result, text);
	hs_json_put_known_text(json, "status", text);
	hs_json_put_text(json, "outcome", hs_call_end_names[request->call.end]);
	hs_json_put_bool(json, "failed", request->call.failed || request->call.end != HS_CALL_ANSWERED);
	hs_result_error_type(&result, text);
	hs_json_put_known_text(json, "error_type", text);
}

static void put_request(struct hs_json *json, const struct hs_request *request, const struct hs_clock *clock)
{
	const struct hs_call *call = &request->call;

	hs_json_put_number(json, "number", request->number);
	hs_json_put_time(json, "time", clock, call->request_ns);
	for (int side = 0; side < HS_SIDES; side++)
		put_end(json, hs_json_side[side], &request->end[side]);
	hs_json_put_text(json, "seen_at", hs_json_side[request->seen_at]);
	hs_json_put_text(json, "protocol", hs_call_protocol_name(request->protocol, call->rpc));
	hs_json_put_known_text(json, "version", call->version);
	hs_json_put_known_text(json, "operation", call->operation);
	hs_json_put_known_text(json, "target", call->target);
	hs_json_put_known_text(json, "route", request->route);
	put_result(json, request);
	put_times(json, request);
	hs_json_put_number(json, "request_bytes", call->request_bytes);
	hs_json_put_number(json, "response_bytes", call->response_bytes);
}

int hs_json_request(FILE *out, const struct hs_request *request, const struct hs_clock *clock)
{
	struct hs_json json;

	hs_json_begin(&json, out);
	hs_json_open(&json, NULL, '{');
	hs_json_put_text(&json, "apiVersion", HS_API_VERSION);
	hs_json_put_text(&json, "kind", "Request");
	put_request(&json, request, clock);
	hs_json_close(&json, '}');
	hs_json_end(&json);
	return ferror_unlocked(out) ? -ENOMEM : 0;
}

void hs_json_requests_head(FILE *out, const struct hs_view *view)
{
	struct hs_json json;

	hs_json_begin(&json, out);
	hs_json_put_head(&json, "RequestList", view);
	hs_json_open(&json, "items", '[');
	hs_json_end(&json);
}

void hs_json_request_item(FILE *out, const struct hs_request *request, const struct hs_clock *clock)
{
	struct hs_json json;

	hs_json_begin(&json, out);
	hs_json_open(&json, NULL, '{');
	put_request(&json, request, clock);
	hs_json_close(&json, '}');
	hs_json_end(&json);
}

int hs_json_requests(struct hs_json *json, const struct hs_view *view)
{
	const struct hs_request *request;

	hs_json_open(json, "items", '[');
	for (uint64_t from = 1; (request = hs_model_request(view->model, from)); from = request->number + 1) {
		hs_json_open(json, NULL, '{');
		put_request(json, request, &view->clock);
		hs_json_close(json, '}');
	}
	hs_json_close(json, ']');
	return 0;
}
