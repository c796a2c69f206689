// SPDX-License-Identifier: GPL-2.0-or-later
/* HTTP/2: the calls on streams, from header blocks to resets. RFC 9113, 5.1 and 8. */
#include <string.h>

#include "l7/grpc.h"
#include "l7/http.h"
#include "l7/http2.h"

#define NO_ERROR 0
#define CANCEL 8
#define OPEN_END UINT32_MAX

/* struct hs_call, parser[0]: these, and the HTTP status above them. */
#define ANSWERING 1ull /* final response headers have come */
#define HIDDEN 2ull    /* not all of its response's fields could be read */
#define STATUS_SHIFT 16

static const char *const error_names[] = { /* RFC 9113, 7 */
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
};

/* What is read of a header block. */
struct head {
	struct hs_call *call; /* NULL: nobody wants to know */
	bool request;
	bool grpc;
	int status, grpc_status; /* -1: not there */
	uint64_t timeout_ns;
};

static void set_error(struct hs_call *call, const char *name)
{
	strcpy(call->error, name);
}

static const char *error_name(uint32_t error)
{
	/* Others mean nothing special: RFC 9113, 7. */
	return error < sizeof(error_names) / sizeof(*error_names) ? error_names[error] : "INTERNAL_ERROR";
}

/* ---- fields ---- */

static void take_method(struct head *head, const struct hs_field *field)
{
	if (head->request)
		hs_http_set_method(head->call, field->value, field->value_length);
}

static void take_path(struct head *head, const struct hs_field *field)
{
	if (head->request)
		hs_http_set_path(head->call, field->value, field->value_length);
}

static void take_status(struct head *head, const struct hs_field *field)
{
	const uint8_t *digit = field->value;

	if (field->value_length == 3 && digit[0] >= '1' && digit[0] <= '9' && digit[1] >= '0' && digit[1] <= '9' &&
	    digit[2] >= '0' && digit[2] <= '9')
		head->status = (digit[0] - '0') * 100 + (digit[1] - '0') * 10 + digit[2] - '0';
}

static void take_type(struct head *head, const struct hs_field *field)
{
	head->grpc = hs_grpc_is_type(field->value, field->value_length);
}

static void take_timeout(struct head *head, const struct hs_field *field)
{
	head->timeout_ns = hs_grpc_timeout_ns(field->value, field->value_length);
}

static void take_grpc_status(struct head *head, const struct hs_field *field)
{
	head->grpc_status = hs_grpc_status(field->value, field->value_length);
}

static const struct {
	const char *name;
	size_t length;
	void (*take)(struct head *head, const struct hs_field *field);
} fields[] = {
	{ ":method", 7, take_method }, { ":path", 5, take_path }, { ":status", 7, take_status },
	{ "content-type", 12, take_type }, { "grpc-timeout", 12, take_timeout }, { "grpc-status", 11, take_grpc_status },
};

static void take_field(void *arg, const struct hs_field *field)
{
	struct head *head = arg;

	if (!head->call)
		return;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (field->name_length == fields[i].length && !memcmp(field->name, fields[i].name, fields[i].length))
			fields[i].take(head, field);
}

/* ---- results ---- */

/* From now on target and status are those of gRPC. */
static void make_rpc(struct hs_call *call)
{
	size_t length = strlen(call->target);

	if (call->rpc)
		return;
	call->rpc = true;
	call->status = -1;
	call->failed = false;
	if (call->target[0] == '/') {
		memmove(call->target, call->target + 1, length);
		call->target[length] = '\0'; /* behind it zeroes, as ever */
	}
}

static void set_grpc_status(struct hs_call *call, int status)
{
	call->status = status;
	call->failed = hs_grpc_is_failure(status);
	if (status)
		set_error(call, hs_grpc_status_name(status));
}

static void answered(struct hs_conversation *c, struct hs_call *call, uint64_t last_ns)
{
	call->response_end_ns = last_ns;
	/* Without a status of its own, HTTP's counts; but one that could not be read is not known. */
	if (call->rpc && call->status < 0 && !(call->parser[0] & HIDDEN))
		set_grpc_status(call, hs_grpc_status_of_http(call->parser[0] >> STATUS_SHIFT));
	hs_call_done(c, call);
}

static void withdrawn(struct hs_conversation *c, struct hs_call *call, enum hs_call_end end, uint64_t now_ns)
{
	call->end = end;
	call->response_end_ns = now_ns;
	hs_call_done(c, call);
}

/* ---- requests ---- */

static struct hs_call *open_stream(struct hs_conversation *c, struct hs_http2 *http,
				   const struct hs_http2_block *block)
{
	struct hs_call *call = hs_call_begin(c, block->stream, block->first_ns);

	http->last_stream = block->stream;
	if (http->gap_end == OPEN_END)
		http->gap_end = block->stream;
	if (call)
		strcpy(call->version, "2");
	return call;
}

static void take_request(struct hs_conversation *c, const struct head *head, bool hidden)
{
	struct hs_call *call = head->call;

	if (!hidden && !call->operation[0]) { /* no request has none: RFC 9113, 8.3.1 */
		hs_conversation_undecoded(c);
		hs_call_forget(c, call);
		return;
	}
	call->timeout_ns = head->timeout_ns;
	if (head->grpc)
		make_rpc(call);
}

/* ---- responses ---- */

static void take_final_head(struct hs_call *call, const struct head *head, uint64_t first_ns)
{
	call->parser[0] |= ANSWERING;
	call->response_ns = first_ns;
	if (head->status < 0)
		return;
	call->parser[0] = (call->parser[0] & (ANSWERING | HIDDEN)) | (uint64_t)head->status << STATUS_SHIFT;
	if (!call->rpc) {
		call->status = head->status;
		call->failed = head->status >= 500;
	}
}

/* Interim, final or trailers: the latter have no status of HTTP. */
static void take_response(struct hs_conversation *c, const struct head *head, bool hidden,
			  const struct hs_http2_block *block, uint64_t last_ns)
{
	struct hs_call *call = head->call;

	if (head->status >= 100 && head->status < 200 && !block->end_stream)
		return;
	if (hidden)
		call->parser[0] |= HIDDEN;
	if (head->grpc || head->grpc_status >= 0)
		make_rpc(call);
	if (head->status >= 0 || !(call->parser[0] & ANSWERING))
		take_final_head(call, head, block->first_ns);
	if (head->grpc_status >= 0)
		set_grpc_status(call, head->grpc_status);
	/* A tunnel is no call any more, as in HTTP/1. */
	if (head->status / 100 == 2 && !block->end_stream && !strcmp(call->operation, "CONNECT"))
		answered(c, call, last_ns);
}

/* ---- frames ---- */

/* Something ended that began while nobody saw it. */
static void end_unknown(struct hs_conversation *c, const struct hs_http2 *http, uint32_t stream)
{
	if (stream & 1 && stream > http->gap_begin && stream < http->gap_end)
		hs_conversation_undecoded(c);
}

static bool decode(struct hs_conversation *c, struct hs_hpack *hpack, const struct hs_http2_block *block,
		   const uint8_t *bytes, size_t length, struct hs_field_sink *sink)
{
	if (block->too_long)
		hs_hpack_forget(hpack);
	if (!block->too_long && !hs_hpack_decode(hpack, bytes, length, sink))
		return sink->hidden;
	hs_conversation_undecoded(c);
	return true;
}

void hs_http2_headers(struct hs_conversation *c, enum hs_side from, const struct hs_http2_block *block,
		      const uint8_t *bytes, size_t length, uint64_t last_ns)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct head head = { .status = -1, .grpc_status = -1 };
	struct hs_field_sink sink = { take_field, &head, false };
	bool hidden;

	head.request = from == HS_CLIENT && block->stream & 1 && block->stream > http->last_stream;
	if (head.request)
		head.call = open_stream(c, http, block);
	else if (!block->promise)
		head.call = hs_call_find(c, block->stream);
	hidden = decode(c, &http->side[from].hpack, block, bytes, length, &sink);
	if (head.call && head.request)
		take_request(c, &head, hidden);
	else if (head.call && from == HS_SERVER)
		take_response(c, &head, hidden, block, last_ns);
	if (block->end_stream)
		hs_http2_end_stream(c, from, block->stream, last_ns);
}

void hs_http2_data(struct hs_conversation *c, enum hs_side from, uint32_t stream, uint32_t length, uint64_t first_ns)
{
	struct hs_call *call = hs_call_find(c, stream);

	if (!call)
		return;
	if (from == HS_SERVER) {
		call->response_bytes += length;
		return;
	}
	call->request_bytes += length;
	call->request_end_ns = first_ns;
}

/* The server may answer before it has heard all: then that is the end. */
void hs_http2_end_stream(struct hs_conversation *c, enum hs_side from, uint32_t stream, uint64_t last_ns)
{
	struct hs_call *call = hs_call_find(c, stream);

	if (from == HS_CLIENT && call)
		call->request_end_ns = last_ns;
	else if (call)
		answered(c, call, last_ns);
	else if (from == HS_SERVER)
		end_unknown(c, hs_conversation_state(c), stream);
}

/* Clients round the timeout that they send up, to two or three digits. */
static bool is_overdue(const struct hs_call *call, uint64_t now_ns)
{
	uint64_t least_ns = call->timeout_ns - call->timeout_ns / 32;

	return call->rpc && call->timeout_ns && now_ns >= call->request_ns && now_ns - call->request_ns >= least_ns;
}

void hs_http2_reset(struct hs_conversation *c, enum hs_side from, uint32_t stream, uint32_t error, uint64_t now_ns)
{
	struct hs_call *call = hs_call_find(c, stream);

	if (!call) {
		if (from == HS_SERVER)
			end_unknown(c, hs_conversation_state(c), stream);
		return;
	}
	if (from == HS_SERVER) {
		call->failed = true;
		set_error(call, error_name(error));
	} else if (is_overdue(call, now_ns)) { /* it was the deadline, not its user */
		call->failed = true;
		set_error(call, hs_grpc_status_name(HS_GRPC_DEADLINE_EXCEEDED));
	} else if (error != CANCEL && error != NO_ERROR) {
		set_error(call, error_name(error));
	}
	withdrawn(c, call, from == HS_CLIENT ? HS_CALL_CANCELLED : HS_CALL_UNANSWERED, now_ns);
}

/* A server says it twice: first that it will end, then which streams it has taken: RFC 9113, 6.8. */
void hs_http2_goaway(struct hs_conversation *c, enum hs_side from, uint32_t last_stream, uint32_t error,
		     uint64_t now_ns)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_call *call, *next;

	if (from == HS_CLIENT)
		return; /* it refuses pushes */
	http->goaway_error = error;
	if (http->going && last_stream >= http->goaway_stream)
		return; /* looked through once for each lower number: a server may repeat it for ever */
	http->going = true;
	http->goaway_stream = last_stream;
	for (call = hs_call_oldest(c); call; call = next) {
		next = call->next;
		if (call->id <= last_stream)
			continue;
		set_error(call, error == NO_ERROR ? "REFUSED_STREAM" : error_name(error));
		withdrawn(c, call, HS_CALL_UNANSWERED, now_ns);
	}
}

/* ---- beginnings and ends ---- */

/* The request with which HTTP/1 was left is stream 1: RFC 7540, 3.2. */
static void adopt(struct hs_conversation *c, struct hs_http2 *http, struct hs_call *asked)
{
	struct hs_call *call = hs_call_begin(c, 1, asked->request_ns);

	http->last_stream = 1;
	if (call) {
		memcpy(call->operation, asked->operation, sizeof(call->operation));
		memcpy(call->target, asked->target, sizeof(call->target));
		strcpy(call->version, "2");
		call->request_end_ns = asked->request_end_ns;
		call->request_bytes = asked->request_bytes;
	}
	hs_call_forget(c, asked);
	while (hs_call_oldest(c) != call) /* pipelined behind it: nobody answers them */
		hs_call_lose(c, hs_call_oldest(c));
}

void hs_http2_begin(struct hs_conversation *c, struct hs_http2 *http)
{
	if (http->begun)
		return;
	http->begun = true;
	if (hs_conversation_is_late(c))
		http->gap_end = OPEN_END;
	if (hs_call_oldest(c))
		adopt(c, http, hs_call_oldest(c));
}

/*
 * What is under way may have ended unseen: none of it is waited for any longer. Streams that were
 * opened meanwhile are known by their numbers.
 */
void hs_http2_lose_calls(struct hs_conversation *c, enum hs_side from)
{
	struct hs_http2 *http = hs_conversation_state(c);

	hs_http2_begin(c, http);
	while (hs_call_oldest(c))
		hs_call_lose(c, hs_call_oldest(c));
	if (from != HS_CLIENT || http->gap_end == OPEN_END)
		return;
	http->gap_begin = http->last_stream;
	http->gap_end = OPEN_END;
}

void hs_http2_close(struct hs_conversation *c)
{
	const struct hs_http2 *http = hs_conversation_state(c);
	struct hs_call *call;

	if (http->side[HS_SERVER].blind)
		hs_http2_lose_calls(c, HS_SERVER); /* they may well have been answered */
	for (call = hs_call_oldest(c); call && http->goaway_error; call = call->next)
		set_error(call, error_name(http->goaway_error));
}
