// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "l7/call_table.h"
#include "l7/stream.h"

#define CALLS_MAX 8192
#define SPARES_MAX 32 /* calls that are over, and kept for the next: one that is new each time costs more than its parsing */
#define SWITCHES_MAX 8
#define GUESSES 32 /* first segments of turns looked at before it is given up to name the protocol */

struct side {
	struct hs_stream stream;
	uint8_t *buffer; /* what the parser wants to see again, with more behind it */
	size_t filled, capacity;
	size_t last_at;  /* where the last segment in it begins */
	uint64_t first_ns, last_ns;
	uint64_t skip;
	bool lost;       /* until a message begins with a segment */
	bool missed;     /* bytes went by since it was */
};

struct hs_conversation {
	const struct hs_conversation_events *events;
	void *arg;
	const struct hs_protocol *protocol;
	void *state;
	const struct hs_protocol *switch_to; /* once the parser has returned */
	bool switching, handing_over;
	struct side side[HS_SIDES];
	struct hs_call *calls, *spares; /* spares: by next */
	struct hs_call_table by_id; /* those with one */
	size_t call_count, spare_count;
	enum hs_side first, last; /* who spoke first since the protocol was asked for, who did last */
	bool spoken;
	bool late, ignored;
	unsigned guesses, switches;
};

static void count(struct hs_conversation *c, enum hs_l7_loss loss, uint64_t amount)
{
	if (amount)
		c->events->loss(c->arg, c->protocol, loss, amount);
}

/* ---- calls ---- */

/* As if zeroed: of texts, what is behind their end is left as it is. */
static struct hs_call *take_spare(struct hs_conversation *c)
{
	struct hs_call *call = c->spares;

	c->spares = call->next;
	c->spare_count--;
	memset(call, 0, offsetof(struct hs_call, operation));
	call->operation[0] = call->target[0] = call->error[0] = call->version[0] = '\0';
	memset(call->parser, 0, sizeof(call->parser));
	return call;
}

static struct hs_call *make_call(struct hs_conversation *c)
{
	if (c->call_count >= CALLS_MAX)
		return NULL;
	return c->spares ? take_spare(c) : calloc(1, sizeof(struct hs_call));
}

struct hs_call *hs_call_begin(struct hs_conversation *c, uint32_t id, uint64_t first_ns)
{
	struct hs_call *call = make_call(c);

	if (call)
		call->id = id;
	if (!call || (id && !hs_call_table_add(&c->by_id, call))) {
		free(call);
		count(c, HS_L7_LOSS_CALLS, 1);
		return NULL;
	}
	call->request_ns = call->request_end_ns = first_ns;
	call->status = -1;
	DL_APPEND(c->calls, call);
	c->call_count++;
	return call;
}

struct hs_call *hs_call_oldest(struct hs_conversation *c)
{
	return c->calls;
}

struct hs_call *hs_call_newest(struct hs_conversation *c)
{
	return c->calls ? c->calls->prev : NULL;
}

struct hs_call *hs_call_find(struct hs_conversation *c, uint32_t id)
{
	struct hs_call *call;

	if (id)
		return hs_call_table_find(&c->by_id, id);
	DL_SEARCH_SCALAR(c->calls, call, id, id);
	return call;
}

void hs_call_forget(struct hs_conversation *c, struct hs_call *call)
{
	if (call->id)
		hs_call_table_remove(&c->by_id, call);
	DL_DELETE(c->calls, call);
	c->call_count--;
	if (c->spare_count >= SPARES_MAX) {
		free(call);
		return;
	}
	call->next = c->spares;
	c->spares = call;
	c->spare_count++;
}

void hs_call_lose(struct hs_conversation *c, struct hs_call *call)
{
	count(c, HS_L7_LOSS_CALLS, 1);
	hs_call_forget(c, call);
}

void hs_call_done(struct hs_conversation *c, struct hs_call *call)
{
	c->events->call(c->arg, c->protocol, call);
	hs_call_forget(c, call);
}

static void forget_calls(struct hs_conversation *c)
{
	count(c, HS_L7_LOSS_CALLS, c->call_count);
	while (c->calls)
		hs_call_forget(c, c->calls);
}

void hs_call_text(char *field, size_t size, const uint8_t *text, size_t length)
{
	size_t i;

	for (i = 0; i < length && i < size - 1; i++)
		field[i] = text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
	field[i] = '\0';
}

/* ---- what a parser asks for ---- */

void *hs_conversation_state(struct hs_conversation *c)
{
	return c->state;
}

bool hs_conversation_is_late(const struct hs_conversation *c)
{
	return c->late;
}

void hs_conversation_skip(struct hs_conversation *c, enum hs_side from, uint64_t length)
{
	c->side[from].skip = length;
}

static void clear_state(struct hs_conversation *c)
{
	if (c->state && c->protocol->free)
		c->protocol->free(c->state);
	free(c->state);
	c->state = NULL;
}

static bool set_protocol(struct hs_conversation *c, const struct hs_protocol *protocol)
{
	clear_state(c);
	c->protocol = protocol;
	if (!protocol)
		return true;
	c->state = calloc(1, protocol->state_size ? protocol->state_size : 1);
	if (!c->state)
		hs_conversation_ignore(c);
	return c->state;
}

void hs_conversation_switch(struct hs_conversation *c, const struct hs_protocol *protocol)
{
	c->switch_to = protocol;
	c->switching = true;
}

void hs_conversation_hand_over(struct hs_conversation *c, const struct hs_protocol *protocol)
{
	hs_conversation_switch(c, protocol);
	c->handing_over = true;
}

void hs_conversation_ignore(struct hs_conversation *c)
{
	c->ignored = true;
}

void hs_conversation_undecoded(struct hs_conversation *c)
{
	count(c, HS_L7_LOSS_MESSAGES, 1);
}

/* The parser has returned: now its state may go. */
static void do_switch(struct hs_conversation *c)
{
	c->switching = false;
	if (!c->handing_over)
		forget_calls(c);
	c->handing_over = false;
	set_protocol(c, c->switch_to);
	c->late = c->spoken = false;
	c->guesses = 0;
	if (++c->switches > SWITCHES_MAX)
		hs_conversation_ignore(c);
}

/* ---- losses ---- */

static void empty(struct hs_conversation *c, struct side *side)
{
	count(c, HS_L7_LOSS_BYTES, side->filled);
	side->filled = side->last_at = 0;
	side->skip = 0;
}

/* Bytes of one side were not seen, or made no sense. */
static void lose(struct hs_conversation *c, enum hs_side from, uint64_t bytes)
{
	count(c, HS_L7_LOSS_BYTES, bytes);
	empty(c, &c->side[from]);
	c->side[from].lost = true;
	c->late = true;
	if (!c->protocol)
		return;
	if (c->protocol->resumes_by_side) {
		c->protocol->lost(c, from);
		return;
	}
	forget_calls(c);
	empty(c, &c->side[hs_other_side(from)]);
	c->side[HS_CLIENT].lost = c->side[HS_SERVER].lost = true;
	set_protocol(c, c->protocol);
}

static enum hs_match boundary(const struct hs_protocol *protocol, enum hs_side from, const uint8_t *bytes,
			      size_t length)
{
	if (!length)
		return HS_MATCH_MORE; /* nothing of it was recorded */
	return protocol->boundary ? protocol->boundary(from, bytes, length) : protocol->match(from, bytes, length);
}

/*
 * Does what was lost go on with this segment? Where answers come in order, only when the client
 * begins a turn: then all earlier answers are over.
 */
static bool is_found(struct hs_conversation *c, enum hs_side from, bool turn, const uint8_t *bytes, size_t length)
{
	if (!c->protocol->resumes_by_side && (from != HS_CLIENT || !turn))
		return false;
	if (boundary(c->protocol, from, bytes, length) != HS_MATCH_YES)
		return false;
	if (c->protocol->resumes_by_side && c->side[from].missed)
		c->protocol->lost(c, from);
	c->side[from].lost = c->side[from].missed = false;
	if (!c->protocol->resumes_by_side)
		c->side[hs_other_side(from)].lost = false;
	return true;
}

/* ---- parsing ---- */

static void skip(struct hs_conversation *c, enum hs_side from, uint64_t length, uint64_t last_ns)
{
	struct side *side = &c->side[from];

	if (side->skip >= HS_SKIP_TURN)
		return;
	side->skip -= length;
	if (!side->skip && c->protocol->skipped)
		c->protocol->skipped(c, from, last_ns);
}

/* How much of the slice is over and done with. Ends at a change of protocol, or where the place is lost. */
static size_t parse(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice, size_t last_at)
{
	struct side *side = &c->side[from];
	size_t used = 0;

	while (used < slice->length && !c->ignored) {
		struct hs_slice rest = {
			.bytes = slice->bytes + used, .length = slice->length - used,
			.first_ns = used < last_at ? slice->first_ns : slice->last_ns, .last_ns = slice->last_ns,
		};
		ssize_t took;

		if (side->skip) {
			uint64_t length = side->skip < rest.length ? side->skip : rest.length;

			used += length;
			skip(c, from, length, slice->last_ns);
			continue;
		}
		took = c->protocol->feed(c, from, &rest);
		if (took < 0 || (!took && !c->switching && rest.length >= HS_WINDOW)) {
			c->switching = false;
			lose(c, from, rest.length);
			return slice->length;
		}
		used += (size_t)took < rest.length ? (size_t)took : rest.length;
		if (c->switching || !took)
			break;
	}
	return c->ignored ? slice->length : used;
}

static bool append(struct side *side, const uint8_t *bytes, size_t length, uint64_t time_ns)
{
	if (side->filled + length > side->capacity) {
		size_t capacity = side->capacity ? side->capacity : 256;
		uint8_t *grown;

		while (capacity < side->filled + length)
			capacity *= 2;
		grown = realloc(side->buffer, capacity);
		if (!grown)
			return false;
		side->buffer = grown;
		side->capacity = capacity;
	}
	if (!side->filled)
		side->first_ns = time_ns;
	side->last_at = side->filled;
	side->last_ns = time_ns;
	memcpy(side->buffer + side->filled, bytes, length);
	side->filled += length;
	return true;
}

static void consume(struct side *side, size_t used)
{
	if (used > side->filled)
		used = side->filled;
	memmove(side->buffer, side->buffer + used, side->filled - used);
	side->filled -= used;
	if (used >= side->last_at) {
		side->first_ns = side->last_ns;
		side->last_at = 0;
	} else {
		side->last_at -= used;
	}
	if (!side->filled && side->capacity > 1024) { /* most messages need no buffer */
		free(side->buffer);
		side->buffer = NULL;
		side->capacity = 0;
	}
}

static void guess(struct hs_conversation *c, bool turn);

/* As far as it goes: a parser that gives way to another leaves the rest to that one. */
static void parse_buffer(struct hs_conversation *c, enum hs_side from)
{
	struct side *side = &c->side[from];

	while (side->filled && c->protocol && !c->ignored) {
		struct hs_slice slice = {
			.bytes = side->buffer, .length = side->filled,
			.first_ns = side->first_ns, .last_ns = side->last_ns,
		};
		size_t used = parse(c, from, &slice, side->last_at);

		if (side->lost)
			return; /* the buffer is empty */
		consume(side, used);
		if (!c->switching)
			return;
		do_switch(c);
	}
	if (side->filled && !c->protocol && !c->ignored)
		guess(c, false);
}

static void take_bytes(struct hs_conversation *c, enum hs_side from, const uint8_t *bytes, size_t length,
		       uint64_t time_ns, bool turn)
{
	struct side *side = &c->side[from];

	while (length && !c->ignored && !side->lost) {
		struct hs_slice slice = { .bytes = bytes, .length = length, .first_ns = time_ns, .last_ns = time_ns };
		size_t used;

		if (!c->protocol || side->filled) {
			used = HS_WINDOW - side->filled < length ? HS_WINDOW - side->filled : length;
			if (!used || !append(side, bytes, used, time_ns)) {
				lose(c, from, length);
				return;
			}
			if (c->protocol)
				parse_buffer(c, from);
			else
				guess(c, turn);
		} else {
			used = parse(c, from, &slice, 0);
			if (c->switching) {
				do_switch(c);
			} else if (used < length) { /* it wants to see the rest again */
				append(side, bytes + used, length - used, time_ns);
				return;
			}
		}
		bytes += used;
		length -= used;
	}
	if (side->lost)
		count(c, HS_L7_LOSS_BYTES, length);
}

/* ---- which protocol ---- */

static void feed_buffers(struct hs_conversation *c)
{
	enum hs_side order[HS_SIDES] = { c->first, hs_other_side(c->first) };

	for (int i = 0; i < HS_SIDES; i++)
		if (c->side[order[i]].filled && c->protocol && !c->ignored)
			parse_buffer(c, order[i]);
}

static enum hs_match ask(const struct hs_conversation *c, const struct hs_protocol *protocol)
{
	enum hs_match best = HS_MATCH_NO;

	for (int from = 0; from < HS_SIDES; from++) {
		const struct side *side = &c->side[from];
		enum hs_match match = HS_MATCH_NO;

		if (side->filled)
			match = c->late ? boundary(protocol, from, side->buffer, side->filled) :
					  protocol->match(from, side->buffer, side->filled);
		if (match > best)
			best = match;
	}
	return best;
}

/* Begun in the middle: what one side said before the other is of no use; or each has to find its own place. */
static void lose_unknown(struct hs_conversation *c)
{
	if (!c->late)
		return;
	if (!c->protocol->resumes_by_side) {
		if (c->first == HS_SERVER) /* to what was asked before */
			c->side[HS_SERVER].filled = c->side[HS_SERVER].last_at = 0;
		return;
	}
	for (int from = 0; from < HS_SIDES; from++) {
		const struct side *side = &c->side[from];

		if (!side->filled || boundary(c->protocol, from, side->buffer, side->filled) != HS_MATCH_YES)
			lose(c, from, 0);
	}
}

/* By what both sides have said so far. */
static void guess(struct hs_conversation *c, bool turn)
{
	bool more = false;

	for (const struct hs_protocol *const *protocol = hs_protocols; *protocol; protocol++) {
		enum hs_match match = ask(c, *protocol);

		if (match == HS_MATCH_YES) {
			if (set_protocol(c, *protocol)) {
				lose_unknown(c);
				feed_buffers(c);
			}
			return;
		}
		more |= match == HS_MATCH_MORE;
	}
	if (more && c->side[HS_CLIENT].filled < HS_WINDOW && c->side[HS_SERVER].filled < HS_WINDOW)
		return;
	/* Begun in the middle: the next turn may begin with a message. */
	c->guesses += turn;
	if (!c->late || c->guesses > GUESSES) {
		hs_conversation_ignore(c);
		return;
	}
	c->side[HS_CLIENT].filled = c->side[HS_SERVER].filled = 0;
	c->spoken = false;
}

/* ---- segments ---- */

/* Who speaks now; true when it is not who spoke before. */
static bool take_turn(struct hs_conversation *c, enum hs_side from)
{
	bool turn = !c->spoken || c->last != from;

	if (!c->spoken)
		c->first = from;
	if (turn && c->side[from].skip == HS_SKIP_TURN)
		c->side[from].skip = 0;
	c->spoken = true;
	c->last = from;
	return turn;
}

/* Of the requests that had come by then. Those before the newest that is known are known. */
static void note_read(struct hs_conversation *c, uint64_t read_ns)
{
	for (struct hs_call *call = hs_call_newest(c); call && !call->read_ns; call = call->prev) {
		if (call->request_ns <= read_ns)
			call->read_ns = read_ns;
		if (call == c->calls)
			break;
	}
}

/* Does the parser go on without bytes that were not recorded? */
static bool hide(struct hs_conversation *c, enum hs_side from, uint64_t length, uint64_t last_ns)
{
	if (!c->protocol || !c->protocol->hidden || !c->protocol->hidden(c, from, length, last_ns))
		return false;
	c->side[from].filled = c->side[from].last_at = 0;
	return true;
}

static void take(struct hs_conversation *c, enum hs_side from, const struct hs_piece *piece, bool turn)
{
	struct side *side = &c->side[from];
	uint32_t rest = piece->length - piece->captured;

	if (side->lost) {
		if (!c->protocol)
			side->lost = false;
		else if (!is_found(c, from, turn, piece->bytes, piece->captured)) {
			count(c, HS_L7_LOSS_BYTES, piece->length);
			side->missed = true;
			return;
		}
	}
	take_bytes(c, from, piece->bytes, piece->captured, piece->time_ns, turn);
	if (!rest || c->ignored || side->lost)
		return;
	if (side->skip && !side->filled) {
		uint64_t length = side->skip < rest ? side->skip : rest;

		skip(c, from, length, piece->time_ns);
		rest -= length;
	}
	if (rest && !hide(c, from, rest, piece->time_ns))
		lose(c, from, rest);
}

void hs_conversation_feed(struct hs_conversation *c, const struct hs_segment *segment)
{
	struct hs_stream *stream = &c->side[segment->from].stream;
	struct hs_piece piece = {
		.length = segment->length, .captured = segment->captured, .bytes = segment->bytes,
		.time_ns = segment->time_ns,
	};
	uint32_t missing;
	bool turn, next;

	if (c->ignored || !segment->length || segment->captured > segment->length)
		return;
	turn = take_turn(c, segment->from);
	if (segment->from == HS_SERVER && segment->read_ns)
		note_read(c, segment->read_ns);
	next = segment->ahead ? hs_stream_feed_ahead(stream, segment->position, &piece) :
				hs_stream_feed(stream, segment->position, &piece);
	if (next)
		take(c, segment->from, &piece, turn);
	while (!c->ignored && hs_stream_next(stream, &piece))
		take(c, segment->from, &piece, false);
	missing = hs_stream_give_up(stream, segment->time_ns);
	if (missing) {
		count(c, HS_L7_LOSS_SEGMENTS, 1);
		lose(c, segment->from, missing);
	}
}

/* ---- followed by somebody else ---- */

static bool rests(const struct side *side)
{
	return !side->filled && !side->skip && !side->lost && !side->stream.ahead_count;
}

bool hs_conversation_is_at_rest(const struct hs_conversation *c)
{
	return c->protocol && c->protocol->is_at_rest && !c->ignored && !c->calls && rests(&c->side[HS_CLIENT]) &&
	       rests(&c->side[HS_SERVER]) && c->protocol->is_at_rest((struct hs_conversation *)c);
}

bool hs_conversation_rests_at(const struct hs_conversation *c, const uint32_t position[HS_SIDES])
{
	for (int from = 0; from < HS_SIDES; from++)
		if (!c->side[from].stream.started || c->side[from].stream.next != position[from])
			return false;
	return hs_conversation_is_at_rest(c);
}

void hs_conversation_lose_place(struct hs_conversation *c)
{
	lose(c, HS_CLIENT, 0);
}

void hs_conversation_take_over(struct hs_conversation *c, const struct hs_call *call)
{
	if (c->protocol && c->protocol->take_over && c->state && !c->ignored)
		c->protocol->take_over(c, call);
	else
		count(c, HS_L7_LOSS_CALLS, 1);
}

void hs_conversation_resume(struct hs_conversation *c, const uint32_t position[HS_SIDES], const struct hs_call *call)
{
	struct hs_call *asked;

	for (int from = 0; from < HS_SIDES; from++) {
		struct hs_stream *stream = &c->side[from].stream;

		hs_stream_free(stream);
		*stream = (struct hs_stream){ .started = true, .next = position[from] };
		empty(c, &c->side[from]);
		c->side[from].lost = false;
	}
	forget_calls(c);
	c->spoken = false;
	if (!c->protocol || !set_protocol(c, c->protocol) || !call)
		return;
	asked = hs_call_begin(c, 0, call->request_ns);
	if (asked) {
		struct hs_call links = *asked;

		*asked = *call;
		asked->prev = links.prev;
		asked->next = links.next;
		memset(asked->parser, 0, sizeof(asked->parser));
	}
}

/* ---- life ---- */

struct hs_conversation *hs_conversation_new(bool late, const struct hs_conversation_events *events, void *arg)
{
	struct hs_conversation *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->late = late;
	c->events = events;
	c->arg = arg;
	return c;
}

void hs_conversation_free(struct hs_conversation *c)
{
	struct hs_call *spare;

	if (!c)
		return;
	while (c->calls)
		hs_call_forget(c, c->calls);
	hs_call_table_free(&c->by_id);
	while ((spare = c->spares)) {
		c->spares = spare->next;
		free(spare);
	}
	clear_state(c);
	for (int from = 0; from < HS_SIDES; from++) {
		hs_stream_free(&c->side[from].stream);
		free(c->side[from].buffer);
	}
	free(c);
}

void hs_conversation_end(struct hs_conversation *c, uint64_t time_ns)
{
	/* What waits behind a hole may have been the answers. */
	for (int from = 0; from < HS_SIDES && !c->ignored; from++) {
		if (!c->side[from].stream.ahead_count)
			continue;
		count(c, HS_L7_LOSS_SEGMENTS, 1);
		lose(c, from, c->side[from].stream.ahead_bytes);
	}
	if (c->protocol && c->protocol->end && !c->ignored)
		c->protocol->end(c, time_ns);
	while (c->calls) {
		c->calls->end = HS_CALL_UNANSWERED;
		hs_call_done(c, c->calls);
	}
	hs_conversation_ignore(c);
}

const struct hs_protocol *hs_conversation_protocol(const struct hs_conversation *c)
{
	return c->protocol;
}

bool hs_conversation_is_ignored(const struct hs_conversation *c)
{
	return c->ignored;
}

const struct hs_call *hs_conversation_pending(const struct hs_conversation *c)
{
	return c->calls;
}
