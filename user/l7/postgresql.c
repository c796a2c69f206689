// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PostgreSQL, protocol 3: manual, chapter 55 "Frontend/Backend Protocol".
 *
 * Answers come in order, each batch of them up to ReadyForQuery. A batch is what a Query or a Sync ends.
 * An error ends what is left of its batch: nothing answers to that.
 */
#include <errno.h>
#include <string.h>

#include "l7/postgresql.h"
#include "l7/protocols.h"

#define ERROR_HEAD 256 /* an error's SQLSTATE is among its first fields */
#define TAIL 512       /* here the end of a long answer is looked for */

/* ---- calls ---- */

struct hs_call *hs_pg_answering(struct hs_conversation *c, const struct hs_pg *pg)
{
	struct hs_call *call = hs_call_oldest(c);

	return call && call->parser[0] == pg->answered ? call : NULL;
}

void hs_pg_forget(struct hs_conversation *c, struct hs_pg *pg, struct hs_call *call)
{
	if (pg->asking == call)
		pg->asking = NULL;
	hs_call_forget(c, call);
}

static void finish_call(struct hs_conversation *c, struct hs_pg *pg, struct hs_call *call, uint64_t time_ns)
{
	if (pg->asking == call)
		pg->asking = NULL;
	call->response_end_ns = time_ns;
	hs_call_done(c, call);
}

/* Its batch has ended. */
static void end_call(struct hs_conversation *c, struct hs_pg *pg, struct hs_call *call, uint64_t time_ns)
{
	if (!(call->parser[1] & HS_PG_EXECUTED)) {
		hs_pg_forget(c, pg, call);
	} else if (call->parser[1] & HS_PG_SIMPLE) {
		finish_call(c, pg, call, time_ns);
	} else { /* skipped behind an error */
		call->end = HS_CALL_UNANSWERED;
		call->response_ns = 0;
		hs_call_done(c, call);
	}
}

/* ---- what a server says ---- */

/* Fields are a byte that says which, and a text. */
static void take_error(struct hs_call *call, const uint8_t *fields, size_t length)
{
	size_t at = 0;

	call->failed = true;
	while (at < length && fields[at]) {
		size_t text = strnlen((const char *)fields + at + 1, length - at - 1);

		if (fields[at] == 'C')
			hs_call_text(call->error, sizeof(call->error), fields + at + 1, text);
		at += text + 2;
	}
}

static void take_ready(struct hs_conversation *c, struct hs_pg *pg, uint64_t last_ns)
{
	struct hs_call *call;

	while ((call = hs_pg_answering(c, pg)) && pg->answered != pg->asked)
		end_call(c, pg, call, last_ns);
	pg->answered += pg->answered != pg->asked;
}

static void take_answer(struct hs_conversation *c, struct hs_pg *pg, struct hs_call *call, uint8_t type,
			const struct hs_slice *slice, size_t length)
{
	bool is_simple = call->parser[1] & HS_PG_SIMPLE;

	if (type == 'Z' && !is_simple)
		return;
	if (!call->response_ns)
		call->response_ns = slice->first_ns;
	if (type == 'E')
		take_error(call, slice->bytes + HS_PG_HEAD, length);
	if (type == 'W')
		finish_call(c, pg, call, slice->last_ns);
	else if (is_simple && type == 'E')
		call->response_end_ns = slice->last_ns; /* nothing may follow */
	else if (!is_simple && (type == 'E' || (hs_pg_is(type, "CIs") && call->parser[1] & HS_PG_EXECUTED)))
		finish_call(c, pg, call, slice->last_ns);
}

/* length of its body is there. */
static void take_message(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice, size_t length)
{
	uint8_t type = slice->bytes[0];
	struct hs_call *call = hs_pg_is(type, "NAS") ? NULL : hs_pg_answering(c, pg); /* they come at any time */

	if (type == 'G')
		pg->copies_in = true;
	if (hs_pg_is(type, "CEZ"))
		pg->copies_in = false;
	if (call) {
		call->response_bytes += type == 'Z' && !(call->parser[1] & HS_PG_SIMPLE) ? 0 : 1 + hs_pg_be32(slice->bytes + 1);
		take_answer(c, pg, call, type, slice, length);
	}
	if (type == 'W') /* a replica is fed from here on */
		hs_conversation_ignore(c);
	if (type == 'Z')
		take_ready(c, pg, slice->last_ns);
}

static ssize_t feed_encryption(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice)
{
	pg->asks_encryption = false;
	if (slice->bytes[0] == 'S') {
		hs_conversation_switch(c, NULL);
	} else if (slice->bytes[0] == 'G') {
		hs_conversation_undecoded(c);
		hs_conversation_ignore(c);
	} else if (slice->bytes[0] != 'N') {
		return -EBADMSG;
	}
	return 1;
}

static ssize_t feed_server(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice)
{
	uint32_t length, wanted;

	if (pg->asks_encryption && slice->bytes[0] != 'E') /* which an old server says */
		return feed_encryption(c, pg, slice);
	if (!hs_pg_is(slice->bytes[0], "DTCZ12tn3sIENSARKGHWdcVv"))
		return -EBADMSG;
	if (slice->length < HS_PG_HEAD)
		return 0;
	length = hs_pg_be32(slice->bytes + 1);
	if (length < 4 || length > HS_PG_MESSAGE_MAX || (slice->bytes[0] == 'Z' && length != 5))
		return -EBADMSG;
	length -= 4;
	wanted = slice->bytes[0] == 'Z' ? 1 : slice->bytes[0] != 'E' ? 0 : length < ERROR_HEAD ? length : ERROR_HEAD;
	if (slice->length < HS_PG_HEAD + wanted)
		return 0;
	take_message(c, pg, slice, wanted);
	if (length > wanted)
		hs_conversation_skip(c, HS_SERVER, length - wanted);
	return HS_PG_HEAD + wanted;
}

/* ---- what was not recorded ---- */

/* The server has said all that it had to say. How the hidden part ended nobody knows: most likely well. */
static void settle(struct hs_conversation *c, struct hs_pg *pg, const struct hs_call *but)
{
	struct hs_call *call;

	while ((call = hs_call_oldest(c)) && call != pg->asking && call != but) {
		if (call->parser[1] & HS_PG_EXECUTED)
			finish_call(c, pg, call, pg->hidden_ns);
		else
			hs_pg_forget(c, pg, call);
	}
	pg->flow[HS_SERVER].hidden = false;
	if (but) {
		pg->answered = but->parser[0];
	} else {
		pg->answered = pg->asked;
		hs_conversation_undecoded(c);
	}
}

/* Do messages such as end an answer fill all of it, up to a ReadyForQuery or to an error, which is sent at once? */
static bool is_tail(const uint8_t *bytes, size_t length)
{
	uint8_t type = 0;

	while (length >= HS_PG_HEAD) {
		uint32_t whole = hs_pg_be32(bytes + 1);

		type = bytes[0];
		if (!hs_pg_is(type, "CEIsNASZ") || whole < 4 || whole >= length ||
		    (type == 'E' && (whole < 6 || bytes[HS_PG_HEAD] != 'S')))
			return false;
		bytes += 1 + whole;
		length -= 1 + whole;
	}
	return !length && (type == 'Z' || type == 'E');
}

/* Where the end of an answer begins in these bytes; length: it does not. */
static size_t find_tail(const uint8_t *bytes, size_t length)
{
	size_t at = length < TAIL ? 0 : length - TAIL;

	while (at < length && !is_tail(bytes + at, length - at))
		at++;
	return at;
}

/* More of an answer whose messages are not told apart. */
static void take_hidden(struct hs_conversation *c, struct hs_pg *pg, uint64_t length)
{
	struct hs_call *call = hs_pg_answering(c, pg);

	if (call)
		call->response_bytes += length;
}

static ssize_t feed_hidden_answer(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice)
{
	struct hs_pg_flow *flow = &pg->flow[HS_SERVER];
	size_t at = find_tail(slice->bytes, slice->length);

	pg->hidden_ns = slice->last_ns;
	flow->kept = 0;
	if (at == slice->length) { /* it may begin here, and go on in the next segment */
		flow->kept = at < TAIL ? at : TAIL;
		take_hidden(c, pg, at - flow->kept);
		return at - flow->kept;
	}
	take_hidden(c, pg, at);
	settle(c, pg, slice->bytes[at] == 'Z' ? NULL : hs_call_newest(c));
	if (slice->bytes[at] == 'Z')
		return slice->length;
	return at ? (ssize_t)at : feed_server(c, pg, slice);
}

/* COPY: what the client sends has no end that could be told, but for the server's answer. */
static ssize_t feed_hidden_copy(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice)
{
	if (!pg->server_spoke || hs_pg_match_message(slice->bytes, slice->length) != HS_MATCH_YES)
		return slice->length;
	pg->flow[HS_CLIENT].hidden = false;
	return hs_pg_feed_client(c, pg, slice);
}

static bool hidden(struct hs_conversation *c, enum hs_side from, uint64_t length, uint64_t last_ns)
{
	struct hs_pg *pg = hs_conversation_state(c);
	struct hs_pg_flow *flow = &pg->flow[from];

	if (from == HS_SERVER) {
		take_hidden(c, pg, flow->kept + length);
		flow->kept = 0;
		flow->hidden = true;
		pg->hidden_ns = last_ns;
		return true;
	}
	if (flow->left >= length) { /* of a long text only the beginning is seen */
		hs_pg_cut_message(c, pg, length, last_ns);
		return true;
	}
	if (!pg->copies_in && !flow->hidden)
		return false;
	hs_pg_touch(c, pg, 'd', last_ns);
	flow->hidden = true;
	pg->server_spoke = false;
	return true;
}

/* The end of an answer that was not found before the client went on: what comes behind it is of the next one. */
static ssize_t drop_kept(struct hs_pg *pg)
{
	ssize_t kept = pg->flow[HS_SERVER].kept;

	pg->flow[HS_SERVER].kept = 0;
	return kept;
}

/* ---- the protocol ---- */

static ssize_t feed(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct hs_pg *pg = hs_conversation_state(c);

	if (from == HS_SERVER) {
		pg->server_spoke = true;
		if (pg->flow[from].hidden)
			return feed_hidden_answer(c, pg, slice);
		return pg->flow[from].kept ? drop_kept(pg) : feed_server(c, pg, slice);
	}
	if (pg->flow[HS_SERVER].hidden && !pg->flow[from].left)
		settle(c, pg, NULL);
	return pg->flow[from].hidden ? feed_hidden_copy(c, pg, slice) : hs_pg_feed_client(c, pg, slice);
}

static void skipped(struct hs_conversation *c, enum hs_side from, uint64_t last_ns)
{
	struct hs_pg *pg = hs_conversation_state(c);

	if (from == HS_CLIENT)
		hs_pg_touch(c, pg, pg->flow[from].type, last_ns);
}

static void end(struct hs_conversation *c, uint64_t time_ns)
{
	struct hs_pg *pg = hs_conversation_state(c);
	struct hs_call *call = hs_pg_answering(c, pg);

	(void)time_ns;
	if (pg->flow[HS_SERVER].hidden)
		settle(c, pg, NULL);
	else if (call && call->failed) /* the error was the last word */
		hs_call_done(c, call);
}

static void free_state(void *state)
{
	struct hs_pg *pg = state;

	hs_statements_free(&pg->statements);
	hs_statements_free(&pg->portals);
}

const struct hs_protocol hs_protocol_postgresql = {
	.name = "postgresql",
	.kind = HS_PROTOCOL_DB,
	.state_size = sizeof(struct hs_pg),
	.needs = HS_NEEDS_ENDS, /* how an answer went only its last bytes tell */
	.match = hs_pg_match,
	.boundary = hs_pg_boundary,
	.feed = feed,
	.skipped = skipped,
	.hidden = hidden,
	.end = end,
	.free = free_state,
};
