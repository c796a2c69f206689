// SPDX-License-Identifier: GPL-2.0-or-later
/* HTTP/2: RFC 9113. Frames; what they mean for calls is in http2_calls.c. */
#include "l7/http2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "l7/protocols.h"

#define FRAME_HEAD 9
#define FRAME_MAX (1u << 14)     /* SETTINGS_MAX_FRAME_SIZE before it is said */
#define FRAME_LIMIT ((1u << 24) - 1)
#define BLOCK_MAX (64u << 10)    /* a longer header block is not read */
#define SETTING 6                /* bytes of one */
#define SETTINGS_USUAL 16        /* so many at most */
#define SETTING_MAX_FRAME_SIZE 5
#define ANY_LENGTH UINT32_MAX

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE (sizeof(preface) - 1)

/* ---- frames ---- */

enum stream_rule {
	ON_ANY,
	ON_STREAM,
	ON_CONNECTION,
};

static const struct {
	enum stream_rule on;
	uint32_t length;   /* exactly */
	uint32_t at_least;
	uint8_t flags;     /* those that are defined */
} rules[HS_HTTP2_TYPES] = {
	[HS_HTTP2_DATA] = { ON_STREAM, ANY_LENGTH, 0, HS_HTTP2_END_STREAM | HS_HTTP2_PADDED },
	[HS_HTTP2_HEADERS] = { ON_STREAM, ANY_LENGTH, 1,
			       HS_HTTP2_END_STREAM | HS_HTTP2_END_HEADERS | HS_HTTP2_PADDED | HS_HTTP2_HAS_PRIORITY },
	[HS_HTTP2_PRIORITY] = { ON_STREAM, 5, 0, 0 },
	[HS_HTTP2_RST_STREAM] = { ON_STREAM, 4, 0, 0 },
	[HS_HTTP2_SETTINGS] = { ON_CONNECTION, ANY_LENGTH, 0, HS_HTTP2_ACK },
	[HS_HTTP2_PUSH_PROMISE] = { ON_STREAM, ANY_LENGTH, 4, HS_HTTP2_END_HEADERS | HS_HTTP2_PADDED },
	[HS_HTTP2_PING] = { ON_CONNECTION, 8, 0, HS_HTTP2_ACK },
	[HS_HTTP2_GOAWAY] = { ON_CONNECTION, ANY_LENGTH, 8, 0 },
	[HS_HTTP2_WINDOW_UPDATE] = { ON_ANY, 4, 0, 0 },
	[HS_HTTP2_CONTINUATION] = { ON_STREAM, ANY_LENGTH, 0, HS_HTTP2_END_HEADERS },
};

static uint32_t read_u32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

static struct hs_http2_frame read_frame(const uint8_t *bytes)
{
	return (struct hs_http2_frame){
		.length = read_u32(bytes) >> 8, .type = bytes[3], .flags = bytes[4],
		.stream = read_u32(bytes + 5) & 0x7fffffff,
	};
}

static bool is_valid(enum hs_side from, const struct hs_http2_frame *frame)
{
	if (frame->type >= HS_HTTP2_TYPES)
		return true; /* extensions are passed over: RFC 9113, 5.5 */
	if (rules[frame->type].on != ON_ANY && (rules[frame->type].on == ON_STREAM) != !!frame->stream)
		return false;
	if (rules[frame->type].length != ANY_LENGTH && frame->length != rules[frame->type].length)
		return false;
	if (frame->type == HS_HTTP2_SETTINGS && frame->length % SETTING)
		return false;
	if (from == HS_CLIENT && frame->type == HS_HTTP2_PUSH_PROMISE)
		return false;
	return frame->length >= rules[frame->type].at_least;
}

/* Valid, and as nearly all are: for bytes of which it is not known what they are. */
static bool is_usual(enum hs_side from, const uint8_t *bytes)
{
	struct hs_http2_frame frame = read_frame(bytes);

	return frame.type < HS_HTTP2_TYPES && is_valid(from, &frame) && frame.length <= FRAME_MAX &&
	       !(frame.flags & ~rules[frame.type].flags) && !(bytes[5] & 0x80) && (!frame.stream || frame.stream & 1);
}

/* Where the content of a frame with padding and priority is; false: they are longer than the frame. */
static bool strip(const struct hs_http2_frame *frame, const uint8_t *payload, size_t *begin, size_t *length)
{
	bool padded = frame->flags & HS_HTTP2_PADDED && frame->type != HS_HTTP2_CONTINUATION;
	size_t head = padded, padding = padded && frame->length ? payload[0] : 0;

	if (frame->type == HS_HTTP2_HEADERS && frame->flags & HS_HTTP2_HAS_PRIORITY)
		head += 5;
	if (frame->type == HS_HTTP2_PUSH_PROMISE)
		head += 4;
	if (head + padding > frame->length)
		return false;
	*begin = head;
	*length = frame->length - head - padding;
	return true;
}

/* ---- header blocks ---- */

static void open_block(struct hs_http2_side *side, const struct hs_http2_frame *frame, uint64_t first_ns)
{
	struct hs_http2_block *block = &side->block;

	if (frame->type == HS_HTTP2_CONTINUATION)
		return;
	block->open = true;
	block->promise = frame->type == HS_HTTP2_PUSH_PROMISE;
	block->end_stream = !block->promise && frame->flags & HS_HTTP2_END_STREAM;
	block->too_long = false;
	block->stream = frame->stream;
	block->first_ns = first_ns;
	block->length = 0;
}

static void close_block(struct hs_conversation *c, enum hs_side from, const uint8_t *bytes, size_t length,
			uint64_t last_ns)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_http2_block *block = &http->side[from].block;

	block->open = false;
	hs_http2_headers(c, from, block, bytes, length, last_ns);
	free(block->bytes); /* most come in one piece */
	block->bytes = NULL;
	block->length = block->capacity = 0;
}

/* The whole block is in one frame, and the frame in the slice. */
static ssize_t take_block(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice,
			  const struct hs_http2_frame *frame)
{
	const uint8_t *payload = slice->bytes + FRAME_HEAD;
	size_t begin, length;

	if (!strip(frame, payload, &begin, &length))
		return -EBADMSG;
	close_block(c, from, payload + begin, length, slice->last_ns);
	return FRAME_HEAD + frame->length;
}

static bool append(struct hs_http2_block *block, const uint8_t *bytes, size_t length)
{
	if (!length)
		return true;
	if (block->length + length > block->capacity) {
		size_t capacity = block->capacity ? block->capacity : 1024;
		uint8_t *grown;

		while (capacity < block->length + length)
			capacity *= 2;
		grown = capacity <= BLOCK_MAX ? realloc(block->bytes, capacity) : NULL;
		if (!grown)
			return false;
		block->bytes = grown;
		block->capacity = capacity;
	}
	memcpy(block->bytes + block->length, bytes, length);
	block->length += length;
	return true;
}

/* A frame of a block is there: its fragment moves to the end of what the block has so far. */
static bool end_fragment(struct hs_http2_side *side)
{
	struct hs_http2_block *block = &side->block;
	size_t begin, length;

	if (block->too_long)
		return true;
	if (!strip(&side->frame, block->bytes + side->frame_at, &begin, &length))
		return false;
	if (begin)
		memmove(block->bytes + side->frame_at, block->bytes + side->frame_at + begin, length);
	block->length = side->frame_at + length;
	return true;
}

static ssize_t gather(struct hs_conversation *c, enum hs_side from, const uint8_t *bytes, size_t length,
		      uint64_t last_ns)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_http2_side *side = &http->side[from];

	if (length > side->left)
		length = side->left;
	if (!side->block.too_long && !append(&side->block, bytes, length))
		side->block.too_long = true;
	side->left -= length;
	if (side->left)
		return length;
	if (!end_fragment(side))
		return -EBADMSG;
	if (side->frame.flags & HS_HTTP2_END_HEADERS)
		close_block(c, from, side->block.bytes, side->block.length, last_ns);
	return length;
}

static ssize_t take_headers(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice,
			    const struct hs_http2_frame *frame)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_http2_side *side = &http->side[from];
	size_t rest = slice->length - FRAME_HEAD;
	ssize_t taken;

	open_block(side, frame, slice->first_ns);
	if (frame->type != HS_HTTP2_CONTINUATION && frame->flags & HS_HTTP2_END_HEADERS && rest >= frame->length)
		return take_block(c, from, slice, frame);
	side->frame = *frame;
	side->left = frame->length;
	side->frame_at = side->block.length;
	taken = gather(c, from, slice->bytes + FRAME_HEAD, rest, slice->last_ns);
	return taken < 0 ? taken : FRAME_HEAD + taken;
}

/* ---- other frames ---- */

/* The whole frame is over, wherever it ends. */
static ssize_t pass(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice,
		    const struct hs_http2_frame *frame)
{
	size_t rest = slice->length - FRAME_HEAD;

	if (rest >= frame->length)
		return FRAME_HEAD + frame->length;
	hs_conversation_skip(c, from, frame->length - rest);
	return slice->length;
}

static ssize_t take_data(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice,
			 const struct hs_http2_frame *frame)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_http2_side *side = &http->side[from];
	size_t begin, length;

	if (frame->flags & HS_HTTP2_PADDED && slice->length < FRAME_HEAD + 1)
		return frame->length ? 0 : -EBADMSG;
	if (!strip(frame, slice->bytes + FRAME_HEAD, &begin, &length))
		return -EBADMSG;
	hs_http2_data(c, from, frame->stream, length, slice->first_ns);
	if (!(frame->flags & HS_HTTP2_END_STREAM))
		return pass(c, from, slice, frame);
	side->skipping = slice->length - FRAME_HEAD < frame->length;
	side->frame = *frame;
	if (!side->skipping)
		hs_http2_end_stream(c, from, frame->stream, slice->last_ns);
	return pass(c, from, slice, frame);
}

static ssize_t take_reset(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice,
			  const struct hs_http2_frame *frame)
{
	if (slice->length < FRAME_HEAD + 4)
		return 0;
	hs_http2_reset(c, from, frame->stream, read_u32(slice->bytes + FRAME_HEAD), slice->last_ns);
	return pass(c, from, slice, frame);
}

static ssize_t take_goaway(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice,
			   const struct hs_http2_frame *frame)
{
	const uint8_t *payload = slice->bytes + FRAME_HEAD;

	if (slice->length < FRAME_HEAD + 8)
		return 0;
	hs_http2_goaway(c, from, read_u32(payload) & 0x7fffffff, read_u32(payload + 4), slice->last_ns);
	return pass(c, from, slice, frame);
}

/* How long may the other side's frames be? */
static ssize_t take_settings(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice,
			     const struct hs_http2_frame *frame)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_http2_side *other = &http->side[hs_other_side(from)];
	size_t length = frame->length < SETTINGS_USUAL * SETTING ? frame->length : SETTINGS_USUAL * SETTING;

	if (slice->length < FRAME_HEAD + length)
		return 0;
	if (length < frame->length)
		other->frame_max = FRAME_LIMIT; /* whatever the rest of them says */
	for (size_t at = FRAME_HEAD; at < FRAME_HEAD + length; at += SETTING) {
		const uint8_t *setting = slice->bytes + at;
		uint32_t value = read_u32(setting + 2);

		if ((setting[0] << 8 | setting[1]) == SETTING_MAX_FRAME_SIZE && value > other->frame_max)
			other->frame_max = value; /* a lower one may not have been heard of yet */
	}
	return pass(c, from, slice, frame);
}

/* NULL: of no interest. */
static ssize_t (*const takers[HS_HTTP2_TYPES])(struct hs_conversation *c, enum hs_side from,
					       const struct hs_slice *slice, const struct hs_http2_frame *frame) = {
	[HS_HTTP2_DATA] = take_data,
	[HS_HTTP2_HEADERS] = take_headers,
	[HS_HTTP2_RST_STREAM] = take_reset,
	[HS_HTTP2_SETTINGS] = take_settings,
	[HS_HTTP2_PUSH_PROMISE] = take_headers,
	[HS_HTTP2_GOAWAY] = take_goaway,
	[HS_HTTP2_CONTINUATION] = take_headers,
};

/* ---- the protocol ---- */

/* A client begins with it, unless that has gone by. */
static ssize_t feed_preface(struct hs_conversation *c, struct hs_http2 *http, const struct hs_slice *slice)
{
	size_t length = slice->length < PREFACE ? slice->length : PREFACE;

	if (memcmp(slice->bytes, preface, length)) {
		http->preface = true;
		return hs_conversation_is_late(c) ? 0 : -EBADMSG;
	}
	http->preface = length == PREFACE;
	return http->preface ? PREFACE : 0;
}

static uint32_t frame_max(const struct hs_conversation *c, const struct hs_http2_side *side)
{
	if (hs_conversation_is_late(c))
		return FRAME_LIMIT; /* what was agreed on is not known */
	return side->frame_max > FRAME_MAX ? side->frame_max : FRAME_MAX;
}

static ssize_t feed_frame(struct hs_conversation *c, struct hs_http2_side *side, enum hs_side from,
			  const struct hs_slice *slice)
{
	struct hs_http2_frame frame;

	if (slice->length < FRAME_HEAD)
		return 0;
	frame = read_frame(slice->bytes);
	if (!is_valid(from, &frame) || frame.length > frame_max(c, side))
		return -EBADMSG;
	/* Between the frames of a header block there is nothing else: RFC 9113, 4.3. */
	if (side->block.open != (frame.type == HS_HTTP2_CONTINUATION) ||
	    (side->block.open && side->block.stream != frame.stream))
		return -EBADMSG;
	if (frame.type < HS_HTTP2_TYPES && takers[frame.type])
		return takers[frame.type](c, from, slice, &frame);
	return pass(c, from, slice, &frame);
}

static ssize_t feed(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_http2_side *side = &http->side[from];

	hs_http2_begin(c, http);
	side->blind = false;
	if (from == HS_CLIENT && !http->preface) {
		ssize_t taken = feed_preface(c, http, slice);

		if (taken || !http->preface)
			return taken;
	}
	if (side->left)
		return gather(c, from, slice->bytes, slice->length, slice->last_ns);
	return feed_frame(c, side, from, slice);
}

static void skipped(struct hs_conversation *c, enum hs_side from, uint64_t last_ns)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_http2_side *side = &http->side[from];

	if (side->skipping)
		hs_http2_end_stream(c, from, side->frame.stream, last_ns);
	side->skipping = false;
}

static void lost(struct hs_conversation *c, enum hs_side from)
{
	struct hs_http2 *http = hs_conversation_state(c);
	struct hs_http2_side *side = &http->side[from];

	hs_hpack_forget(&side->hpack);
	free(side->block.bytes);
	side->block = (struct hs_http2_block){};
	side->left = 0;
	side->skipping = false;
	side->blind = true;
	if (from == HS_CLIENT)
		http->preface = true;
	hs_http2_lose_calls(c, from);
}

static void end(struct hs_conversation *c, uint64_t time_ns)
{
	(void)time_ns;
	hs_http2_close(c);
}

static void free_state(void *state)
{
	struct hs_http2 *http = state;

	for (int from = 0; from < HS_SIDES; from++) {
		hs_hpack_forget(&http->side[from].hpack);
		free(http->side[from].block.bytes);
	}
}

/* A server may send its SETTINGS before it has heard anything. */
static enum hs_match match_settings(const uint8_t *bytes, size_t length)
{
	static const uint8_t rest[] = { HS_HTTP2_SETTINGS, 0, 0, 0, 0, 0 };
	size_t known = length < FRAME_HEAD ? length : FRAME_HEAD;

	if (bytes[0] || (length > 1 && bytes[1]))
		return HS_MATCH_NO;
	if (length > 2 && (bytes[2] % SETTING || bytes[2] > SETTINGS_USUAL * SETTING))
		return HS_MATCH_NO;
	if (length > 3 && memcmp(bytes + 3, rest, known - 3))
		return HS_MATCH_NO;
	return length < FRAME_HEAD ? HS_MATCH_MORE : HS_MATCH_YES;
}

static enum hs_match match(enum hs_side from, const uint8_t *bytes, size_t length)
{
	if (from == HS_SERVER)
		return match_settings(bytes, length);
	if (memcmp(bytes, preface, length < PREFACE ? length : PREFACE))
		return HS_MATCH_NO;
	return length < PREFACE ? HS_MATCH_MORE : HS_MATCH_YES;
}

/* One frame and where it ends, or two: a frame's head alone has too little that is always the same. */
static enum hs_match boundary(enum hs_side from, const uint8_t *bytes, size_t length)
{
	size_t at = 0, frames;

	if (from == HS_CLIENT && match(from, bytes, length) == HS_MATCH_YES)
		return HS_MATCH_YES;
	for (frames = 0; at < length && length - at >= FRAME_HEAD; frames++) {
		if (!is_usual(from, bytes + at))
			return HS_MATCH_NO;
		at += FRAME_HEAD + read_frame(bytes + at).length;
	}
	return frames > 1 || (frames && at == length) ? HS_MATCH_YES : HS_MATCH_MORE;
}

const struct hs_protocol hs_protocol_http2 = {
	.name = "http",
	.kind = HS_PROTOCOL_HTTP,
	.state_size = sizeof(struct hs_http2),
	.needs = HS_NEEDS_ALL,
	.resumes_by_side = true,
	.match = match,
	.boundary = boundary,
	.feed = feed,
	.skipped = skipped,
	.lost = lost,
	.end = end,
	.free = free_state,
};
