// SPDX-License-Identifier: GPL-2.0-or-later
/* HTTP/1.0 and 1.1: RFC 9112 (messages), RFC 9110 (meaning). */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "l7/http.h"
#include "l7/protocols.h"

#define CHUNK_LINE_MAX 1024
#define BODY_MAX (1ull << 62)

enum phase {
	PHASE_HEAD,
	PHASE_BODY,     /* its bytes are being skipped */
	PHASE_CHUNK,    /* a line with the size of the next chunk */
	PHASE_TRAILERS,
	PHASE_CLOSE,    /* a body that ends with the connection */
	PHASE_HIDDEN,   /* chunks that were not recorded: they end when the other side speaks */
};

struct http1 {
	enum phase phase[HS_SIDES];
	struct hs_call *asking, *answering; /* whose body is under way; NULL: none */
	bool upgrades;    /* the last request asked to speak something else behind its answer */
	int status;       /* of the answer under way */
	uint64_t hidden_ns[HS_SIDES]; /* when the last of the hidden chunks came */
};

struct head {
	uint64_t length;    /* of the body, where has_length */
	bool has_length, chunked, upgrade, upgrade_h2c;
};

struct text {
	const uint8_t *at;
	size_t length;
};

/* ---- text ---- */

static bool is(struct text text, const char *word)
{
	return text.length == strlen(word) && !strncasecmp((const char *)text.at, word, text.length);
}

static struct text trim(struct text text)
{
	while (text.length && (text.at[0] == ' ' || text.at[0] == '\t')) {
		text.at++;
		text.length--;
	}
	while (text.length && (text.at[text.length - 1] == ' ' || text.at[text.length - 1] == '\t'))
		text.length--;
	return text;
}

/* The next element of a comma-separated list (RFC 9110, 5.6.1); at == NULL: no more. */
static struct text next_element(struct text *list)
{
	struct text element = *list;
	const uint8_t *comma;

	if (!list->length)
		return (struct text){};
	comma = memchr(list->at, ',', list->length);
	element.length = comma ? (size_t)(comma - list->at) : list->length;
	list->at += element.length + !!comma;
	list->length -= element.length + !!comma;
	return trim(element);
}

static bool has_element(struct text list, const char *word)
{
	struct text element;

	while ((element = next_element(&list)).at)
		if (is(element, word))
			return true;
	return false;
}

static bool parse_decimal(struct text text, uint64_t *number)
{
	*number = 0;
	if (!text.length || text.length > 18)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*number = *number * 10 + (text.at[i] - '0');
	}
	return true;
}

/* The line at the start of bytes, without its end; its whole length, or 0 when it has no end yet. */
static size_t line(const uint8_t *bytes, size_t length, struct text *text)
{
	const uint8_t *end = memchr(bytes, '\n', length);

	if (!end)
		return 0;
	*text = (struct text){ bytes, end - bytes };
	if (text->length && bytes[text->length - 1] == '\r')
		text->length--;
	return end - bytes + 1;
}

/* ---- heads ---- */

/* How many bytes the lines up to and with the empty one take; 0: its end has not come yet. */
static size_t head_length(const uint8_t *bytes, size_t length)
{
	size_t at = 0, taken;
	struct text text;

	while ((taken = line(bytes + at, length - at, &text))) {
		at += taken;
		if (!text.length)
			return at;
	}
	return 0;
}

static int take_field(struct head *head, struct text name, struct text value)
{
	uint64_t length;

	if (is(name, "content-length")) {
		struct text first = next_element(&value); /* a list of equal ones is allowed: RFC 9112, 6.3 */

		if (!parse_decimal(first, &length) || (head->has_length && head->length != length))
			return -EBADMSG;
		head->length = length;
		head->has_length = true;
	} else if (is(name, "transfer-encoding")) {
		head->chunked = has_element(value, "chunked");
	} else if (is(name, "upgrade")) {
		head->upgrade_h2c = has_element(value, "h2c");
	} else if (is(name, "connection")) {
		head->upgrade = has_element(value, "upgrade");
	}
	return 0;
}

/* The fields behind the first line. */
static int take_fields(struct head *head, const uint8_t *bytes, size_t length)
{
	struct text text;
	size_t taken;

	for (size_t at = 0; at < length && (taken = line(bytes + at, length - at, &text)); at += taken) {
		const uint8_t *colon = memchr(text.at, ':', text.length);
		struct text value;
		int error;

		if (!text.length)
			break;
		if (!colon)
			continue;
		value = (struct text){ colon + 1, text.at + text.length - colon - 1 };
		error = take_field(head, (struct text){ text.at, colon - text.at }, trim(value));
		if (error)
			return error;
	}
	return 0;
}

static bool is_version(struct text version)
{
	return version.length == 8 && !memcmp(version.at, "HTTP/1.", 7);
}

/* method SP target SP version */
static bool split_request(struct text text, struct text *method, struct text *target)
{
	const uint8_t *first = memchr(text.at, ' ', text.length);
	const uint8_t *last = memrchr(text.at, ' ', text.length);

	if (!first || first == last || first == text.at)
		return false;
	*method = (struct text){ text.at, first - text.at };
	*target = trim((struct text){ first + 1, last - first - 1 });
	return target->length && is_version((struct text){ last + 1, text.at + text.length - last - 1 });
}

/* ---- messages ---- */

static void finish_call(struct hs_conversation *c, struct http1 *http, struct hs_call *call, uint64_t time_ns)
{
	call->response_end_ns = time_ns;
	if (http->asking == call)
		http->asking = NULL; /* answered before it had been asked in full */
	hs_call_done(c, call);
}

static void end_message(struct hs_conversation *c, enum hs_side from, uint64_t time_ns)
{
	struct http1 *http = hs_conversation_state(c);

	http->phase[from] = PHASE_HEAD;
	if (from == HS_CLIENT) {
		if (http->asking)
			http->asking->request_end_ns = time_ns;
		http->asking = NULL;
	} else {
		struct hs_call *call = http->answering;

		http->answering = NULL;
		if (call)
			finish_call(c, http, call, time_ns);
	}
}

static void add_bytes(struct http1 *http, enum hs_side from, uint64_t length)
{
	if (from == HS_CLIENT && http->asking)
		http->asking->request_bytes += length;
	if (from == HS_SERVER && http->answering)
		http->answering->response_bytes += length;
}

static void begin_body(struct hs_conversation *c, enum hs_side from, const struct head *head, bool none,
		       uint64_t time_ns)
{
	struct http1 *http = hs_conversation_state(c);

	if (none || (!head->chunked && head->has_length && !head->length)) {
		end_message(c, from, time_ns);
	} else if (head->chunked) {
		http->phase[from] = PHASE_CHUNK;
	} else if (head->has_length) {
		add_bytes(http, from, head->length);
		http->phase[from] = PHASE_BODY;
		hs_conversation_skip(c, from, head->length);
	} else {
		http->phase[from] = PHASE_CLOSE;
	}
}

static ssize_t feed_request(struct hs_conversation *c, struct http1 *http, const struct hs_slice *slice, size_t length)
{
	struct text text = {}, method, target;
	struct head head = {};
	size_t first = line(slice->bytes, length, &text);

	if (!split_request(text, &method, &target) || take_fields(&head, slice->bytes + first, length - first))
		return -EBADMSG;
	http->asking = hs_call_begin(c, 0, slice->first_ns);
	if (!http->asking)
		return -EBADMSG; /* without it, answers would go to the wrong requests */
	http->upgrades = head.upgrade;
	hs_http_set_method(http->asking, method.at, method.length);
	hs_http_set_path(http->asking, target.at, target.length);
	hs_call_text(http->asking->version, sizeof(http->asking->version), text.at + text.length - 3, 3);
	begin_body(c, HS_CLIENT, &head, !head.chunked && !head.has_length, slice->last_ns);
	return length;
}

/* What comes behind an answer with 101, or behind a CONNECT that succeeded. */
static void change(struct hs_conversation *c, struct http1 *http, const struct head *head, uint64_t time_ns)
{
	bool tunnel = http->status != 101;
	struct hs_call *call = http->answering;

	if (!tunnel && head->upgrade_h2c) { /* the answer itself is yet to come, in HTTP/2 */
		hs_conversation_hand_over(c, &hs_protocol_http2);
		return;
	}
	http->answering = NULL;
	if (call)
		finish_call(c, http, call, time_ns);
	if (tunnel)
		hs_conversation_switch(c, NULL); /* the next bytes tell */
	else
		hs_conversation_ignore(c);
}

static ssize_t feed_response(struct hs_conversation *c, struct http1 *http, const struct hs_slice *slice, size_t length)
{
	struct hs_call *call = hs_call_oldest(c);
	struct head head = {};
	bool is_head, is_connect;
	struct text text = {};
	size_t first = line(slice->bytes, length, &text);
	uint64_t status;

	if (text.length < 12 || !is_version((struct text){ text.at, 8 }) || text.at[8] != ' ' ||
	    !parse_decimal((struct text){ text.at + 9, 3 }, &status) ||
	    take_fields(&head, slice->bytes + first, length - first))
		return -EBADMSG;
	if (status / 100 == 1 && status != 101)
		return length; /* the answer itself is yet to come */
	if (!call)
		hs_conversation_undecoded(c); /* nobody asked: a server that closes an idle connection with 408 */
	http->answering = call;
	http->status = status;
	is_head = call && !strcmp(call->operation, "HEAD");
	is_connect = call && !strcmp(call->operation, "CONNECT");
	if (call) {
		call->status = status;
		call->failed = status >= 500;
		call->response_ns = slice->first_ns;
	}
	if (status == 101 || (is_connect && status / 100 == 2))
		change(c, http, &head, slice->last_ns);
	else
		begin_body(c, HS_SERVER, &head, is_head || status == 204 || status == 304, slice->last_ns);
	return length;
}

static ssize_t feed_head(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct http1 *http = hs_conversation_state(c);
	size_t length;

	/* An empty line or two before a request are tolerated: RFC 9112, 2.2. */
	if (from == HS_CLIENT && (slice->bytes[0] == '\r' || slice->bytes[0] == '\n'))
		return 1;
	length = head_length(slice->bytes, slice->length);
	if (!length)
		return 0;
	return from == HS_CLIENT ? feed_request(c, http, slice, length) : feed_response(c, http, slice, length);
}

/* ---- chunks: RFC 9112, 7.1 ---- */

static int hex(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool parse_chunk_size(struct text text, uint64_t *size)
{
	size_t i;

	*size = 0;
	for (i = 0; i < text.length && hex(text.at[i]) >= 0; i++) {
		if (*size >= BODY_MAX / 16)
			return false;
		*size = *size * 16 + hex(text.at[i]);
	}
	return i && (i == text.length || text.at[i] == ';' || text.at[i] == ' ' || text.at[i] == '\t');
}

static ssize_t feed_chunk(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct http1 *http = hs_conversation_state(c);
	struct text text;
	size_t length = line(slice->bytes, slice->length, &text);
	uint64_t size;

	if (!length)
		return slice->length > CHUNK_LINE_MAX ? -EBADMSG : 0;
	if (!parse_chunk_size(text, &size))
		return -EBADMSG;
	if (!size) {
		http->phase[from] = PHASE_TRAILERS;
	} else {
		add_bytes(http, from, size);
		hs_conversation_skip(c, from, size + 2);
	}
	return length;
}

static ssize_t feed_trailers(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	size_t length = head_length(slice->bytes, slice->length);

	if (length)
		end_message(c, from, slice->last_ns);
	return length;
}

/* ---- the protocol ---- */

/* Of a long body the rest is not recorded, and the sizes of its chunks neither. */
static bool hidden(struct hs_conversation *c, enum hs_side from, uint64_t length, uint64_t last_ns)
{
	struct http1 *http = hs_conversation_state(c);

	if (http->phase[from] != PHASE_CHUNK && http->phase[from] != PHASE_HIDDEN)
		return false;
	if (from == HS_SERVER && hs_call_oldest(c) != hs_call_newest(c))
		return false; /* the next answer may have begun in there */
	add_bytes(http, from, length);
	http->phase[from] = PHASE_HIDDEN;
	http->hidden_ns[from] = last_ns;
	return true;
}

static void end_hidden(struct hs_conversation *c, enum hs_side side)
{
	const struct http1 *http = hs_conversation_state(c);

	if (http->phase[side] == PHASE_HIDDEN)
		end_message(c, side, http->hidden_ns[side]);
}

static ssize_t feed(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct http1 *http = hs_conversation_state(c);

	end_hidden(c, hs_other_side(from));
	switch (http->phase[from]) {
	case PHASE_HEAD:
		return feed_head(c, from, slice);
	case PHASE_CHUNK:
		return feed_chunk(c, from, slice);
	case PHASE_TRAILERS:
		return feed_trailers(c, from, slice);
	case PHASE_HIDDEN:
		add_bytes(http, from, slice->length);
		http->hidden_ns[from] = slice->last_ns;
		return slice->length;
	case PHASE_BODY: /* was skipped */
	case PHASE_CLOSE:
		break;
	}
	hs_conversation_skip(c, from, UINT64_MAX);
	return slice->length;
}

static void skipped(struct hs_conversation *c, enum hs_side from, uint64_t last_ns)
{
	struct http1 *http = hs_conversation_state(c);

	if (http->phase[from] == PHASE_BODY)
		end_message(c, from, last_ns);
}

static void end(struct hs_conversation *c, uint64_t time_ns)
{
	struct http1 *http = hs_conversation_state(c);

	end_hidden(c, HS_CLIENT);
	end_hidden(c, HS_SERVER);
	if (http->phase[HS_SERVER] == PHASE_CLOSE)
		end_message(c, HS_SERVER, time_ns);
}

static bool is_at_rest(struct hs_conversation *c)
{
	const struct http1 *http = hs_conversation_state(c);

	return http->phase[HS_CLIENT] == PHASE_HEAD && http->phase[HS_SERVER] == PHASE_HEAD;
}

/* A request line: a method that we know, and a target that HTTP has. */
static enum hs_match match_request(const uint8_t *bytes, size_t length)
{
	struct text text, method, target;

	for (const char *const *known = hs_http_methods; *known; known++) {
		size_t word = strlen(*known);

		if (memcmp(bytes, *known, length < word ? length : word))
			continue;
		if (length <= word)
			return HS_MATCH_MORE;
		if (bytes[word] != ' ')
			continue;
		if (line(bytes, length, &text))
			return split_request(text, &method, &target) ? HS_MATCH_YES : HS_MATCH_NO;
		return HS_MATCH_MORE;
	}
	return HS_MATCH_NO;
}

static enum hs_match match(enum hs_side from, const uint8_t *bytes, size_t length)
{
	if (from == HS_CLIENT)
		return match_request(bytes, length);
	if (memcmp(bytes, "HTTP/1.", length < 7 ? length : 7))
		return HS_MATCH_NO;
	return length < 7 ? HS_MATCH_MORE : HS_MATCH_YES;
}

/* An answer alone is of no use: its request has gone by. */
static enum hs_match boundary(enum hs_side from, const uint8_t *bytes, size_t length)
{
	return from == HS_CLIENT ? match_request(bytes, length) : HS_MATCH_NO;
}

const struct hs_protocol hs_protocol_http1 = {
	.name = "http",
	.kind = HS_PROTOCOL_HTTP,
	.state_size = sizeof(struct http1),
	.match = match,
	.boundary = boundary,
	.feed = feed,
	.skipped = skipped,
	.hidden = hidden,
	.end = end,
	.is_at_rest = is_at_rest,
};
