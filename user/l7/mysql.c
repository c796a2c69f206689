// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MySQL and MariaDB: "Client/Server Protocol" in MySQL's internals manual and in MariaDB's knowledge
 * base. Every command is a call while it is under way, so that answers find theirs in order.
 *
 * Nothing here depends on what both sides have agreed on at the start but compression and TLS: a
 * connection that is older than the agent is read as well.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "l7/mysql.h"
#include "l7/protocols.h"

#define WANTED 24        /* bytes of a packet of the server that are looked at */
#define GREETING_MAX 512
#define COLUMNS_MAX 65535
#define TAIL 512         /* here the end of a long answer is looked for */

enum {
	STATUS_MORE_RESULTS = 8,
	STATUS_CURSOR_EXISTS = 64,
};

/* A packet of the server, as far as it is looked at. */
struct packet {
	const uint8_t *bytes;
	size_t there;
	uint32_t length;
	uint64_t first_ns, last_ns;
};

/* ---- calls ---- */

static void finish(struct hs_conversation *c, struct hs_my *my, struct hs_call *call, uint64_t time_ns)
{
	my->state = HS_MY_STATE_FIRST;
	call->response_end_ns = time_ns;
	if (call->parser[0] == HS_MY_PREPARE && !call->failed)
		hs_call_forget(c, call);
	else
		hs_call_done(c, call);
}

void hs_my_settle(struct hs_conversation *c, struct hs_my *my)
{
	while (hs_call_oldest(c))
		finish(c, my, hs_call_oldest(c), my->hidden_ns);
	my->hidden[HS_SERVER] = my->continues[HS_SERVER] = false;
	my->state = HS_MY_STATE_FIRST;
}

/* ---- what a server says ---- */

/* A number of 1, 3, 4 or 9 bytes; how many: 0 when they are not there. */
static size_t parse_number(const uint8_t *bytes, size_t length, uint64_t *number)
{
	static const uint8_t sizes[] = { [0xfc - 0xfb] = 3, [0xfd - 0xfb] = 4, [0xfe - 0xfb] = 9 };
	size_t size = length && bytes[0] > 0xfb && bytes[0] < 0xff ? sizes[bytes[0] - 0xfb] : 1;

	if (length < size)
		return 0;
	*number = size == 1 ? bytes[0] : 0;
	for (size_t i = size - 1; i > 0; i--)
		*number = *number << 8 | bytes[i];
	return size;
}

/* The flags of a packet that ends something: OK, or the older EOF. */
static uint32_t status_of(const struct packet *packet)
{
	size_t at = 1, size;
	uint64_t number;

	if (packet->bytes[0] == 0xfe && packet->length == 5)
		return hs_my_le16(packet->bytes + 3);
	for (int i = 0; i < 2; i++) { /* rows, and the last identity */
		size = parse_number(packet->bytes + at, packet->there - at, &number);
		if (!size)
			return 0;
		at += size;
	}
	return at + 2 <= packet->there ? hs_my_le16(packet->bytes + at) : 0;
}

static bool is_end(const struct packet *packet)
{
	return packet->there && packet->bytes[0] == 0xfe && packet->length < HS_MY_PACKET_MAX;
}

/* MariaDB tells how far it has come by an error that is none. */
static bool is_progress(const struct packet *packet)
{
	return packet->there >= 3 && packet->bytes[0] == 0xff && hs_my_le16(packet->bytes + 1) == 0xffff;
}

static void take_error(struct hs_call *call, const struct packet *packet)
{
	call->failed = true;
	if (packet->there >= 3)
		snprintf(call->error, sizeof(call->error), "%u", hs_my_le16(packet->bytes + 1));
}

/* One statement's answer is over; true: all of the command's. */
static bool end_result(struct hs_my *my, const struct packet *packet)
{
	my->state = HS_MY_STATE_FIRST;
	return !(status_of(packet) & STATUS_MORE_RESULTS);
}

/* How many columns the rows have, and whether their definitions follow. */
static int begin_rows(struct hs_my *my, const struct packet *packet)
{
	bool follows = true;
	uint64_t columns;
	size_t size;

	if (my->agreed & HS_MY_CLIENT_OPTIONAL_METADATA && packet->length == 2) {
		follows = packet->bytes[0];
		columns = packet->bytes[1];
	} else {
		size = parse_number(packet->bytes, packet->there, &columns);
		if (!size || packet->length > size + 1 || !columns || columns > COLUMNS_MAX)
			return -EBADMSG;
		if (packet->length == size + 1) /* MariaDB */
			follows = packet->bytes[size];
	}
	my->columns = follows ? columns : 0;
	my->state = my->columns ? HS_MY_STATE_COLUMNS : HS_MY_STATE_BEHIND_COLUMNS;
	return 0;
}

/* The functions that follow: 1 when it was the last packet of the answer, 0 when it was not, -EBADMSG. */

static int take_result(struct hs_my *my, struct hs_call *call, const struct packet *packet)
{
	uint8_t first = packet->bytes[0];

	if (first == 0xff) {
		take_error(call, packet);
		return 1;
	}
	if (first == 0xfb) {
		my->sends_file = true;
		return 0;
	}
	if (!first && packet->length > 2)
		return end_result(my, packet);
	return begin_rows(my, packet);
}

static int take_prepared(struct hs_my *my, struct hs_call *call, const struct packet *packet)
{
	if (packet->bytes[0] == 0xff) {
		take_error(call, packet);
		return 1;
	}
	if (packet->bytes[0] || packet->there < 9)
		return -EBADMSG;
	hs_statements_put(&my->statements, hs_my_le32(packet->bytes + 1), call->operation, call->target);
	my->columns = hs_my_le16(packet->bytes + 5) + hs_my_le16(packet->bytes + 7);
	my->state = HS_MY_STATE_DEFINITIONS;
	return !my->columns;
}

static int take_rows(struct hs_my *my, struct hs_call *call, const struct packet *packet)
{
	if (packet->there && packet->bytes[0] == 0xff) {
		take_error(call, packet);
		return 1;
	}
	return is_end(packet) && end_result(my, packet);
}

static int take_one(struct hs_call *call, const struct packet *packet)
{
	if (packet->bytes[0] == 0xff)
		take_error(call, packet);
	return 1;
}

static int take_login(struct hs_call *call, const struct packet *packet)
{
	if (packet->bytes[0] == 0xff)
		take_error(call, packet);
	return packet->bytes[0] == 0xff || !packet->bytes[0];
}

static int take_first(struct hs_my *my, struct hs_call *call, const struct packet *packet)
{
	if (!packet->there)
		return -EBADMSG;
	switch (hs_my_commands[call->parser[0]].answer) {
	case HS_MY_ANSWER_RESULT:
		return take_result(my, call, packet);
	case HS_MY_ANSWER_PREPARED:
		return take_prepared(my, call, packet);
	case HS_MY_ANSWER_ROWS:
		return take_rows(my, call, packet);
	case HS_MY_ANSWER_LOGIN:
		return take_login(call, packet);
	default:
		return take_one(call, packet);
	}
}

static int take_answer(struct hs_my *my, struct hs_call *call, const struct packet *packet)
{
	switch (my->state) {
	case HS_MY_STATE_FIRST:
		return take_first(my, call, packet);
	case HS_MY_STATE_COLUMNS:
		my->state = --my->columns ? HS_MY_STATE_COLUMNS : HS_MY_STATE_BEHIND_COLUMNS;
		return 0;
	case HS_MY_STATE_BEHIND_COLUMNS: /* an EOF, unless both know better */
		my->state = HS_MY_STATE_ROWS;
		if (is_end(packet) && packet->length == 5)
			return !!(status_of(packet) & STATUS_CURSOR_EXISTS);
		return take_rows(my, call, packet);
	case HS_MY_STATE_ROWS:
		return take_rows(my, call, packet);
	case HS_MY_STATE_DEFINITIONS:
		my->columns -= !is_end(packet);
		return !my->columns;
	}
	return -EBADMSG;
}

/* The EOF behind a statement's definitions: whether there is one is only known when it comes. */
static bool is_late_eof(const struct hs_my *my, const struct packet *packet)
{
	return my->state == HS_MY_STATE_FIRST && is_end(packet) && packet->length == 5;
}

/* A server that closes says why. */
static int take_unasked(const struct packet *packet)
{
	return packet->there && packet->bytes[0] == 0xff ? 0 : -EBADMSG;
}

static int take_packet(struct hs_conversation *c, struct hs_my *my, const struct packet *packet)
{
	struct hs_call *call = hs_call_oldest(c);
	enum hs_my_answer answer = call ? hs_my_commands[call->parser[0]].answer : HS_MY_ANSWER_NONE;
	int last;

	if (is_late_eof(my, packet) &&
	    (!call || answer == HS_MY_ANSWER_RESULT || answer == HS_MY_ANSWER_PREPARED))
		return 0;
	if (!call)
		return take_unasked(packet);
	if (!call->response_ns)
		call->response_ns = packet->first_ns;
	call->response_bytes += HS_MY_HEAD + packet->length;
	if (is_progress(packet))
		return 0;
	last = take_answer(my, call, packet);
	if (last > 0)
		finish(c, my, call, packet->last_ns);
	if (answer == HS_MY_ANSWER_STREAM)
		hs_conversation_ignore(c);
	return last < 0 ? last : 0;
}

/* What the server can do is behind its version, in two parts. */
static int take_greeting(struct hs_my *my, const uint8_t *packet, size_t length)
{
	const uint8_t *end = memchr(packet, '\0', length);
	const uint8_t *capabilities = end ? end + 14 : NULL; /* behind a number and a part of the challenge */

	if (packet[0] == 0xff)
		return 0; /* nobody is let in */
	if (!end || (size_t)(capabilities - packet) + 7 > length)
		return -EBADMSG;
	my->offered = hs_my_le16(capabilities) | hs_my_le16(capabilities + 5) << 16;
	my->phase = HS_MY_PHASE_LOGIN;
	return 0;
}

static ssize_t feed_server(struct hs_conversation *c, struct hs_my *my, const struct hs_slice *slice)
{
	struct packet packet = { .bytes = slice->bytes + HS_MY_HEAD, .first_ns = slice->first_ns, .last_ns = slice->last_ns };
	bool continues = my->continues[HS_SERVER];
	int error = 0;

	if (slice->length < HS_MY_HEAD)
		return 0;
	packet.length = hs_my_le24(slice->bytes);
	packet.there = continues ? 0 : hs_my_least(packet.length, my->phase == HS_MY_PHASE_NEW ? GREETING_MAX : WANTED);
	if (slice->length < HS_MY_HEAD + packet.there)
		return 0;
	my->continues[HS_SERVER] = packet.length == HS_MY_PACKET_MAX;
	my->sends_file &= !packet.there;
	if (continues && hs_call_oldest(c))
		hs_call_oldest(c)->response_bytes += HS_MY_HEAD + packet.length;
	else if (my->phase == HS_MY_PHASE_NEW)
		error = packet.there ? take_greeting(my, packet.bytes, packet.there) : -EBADMSG;
	else if (my->phase == HS_MY_PHASE_LOGIN)
		my->phase = packet.there && !packet.bytes[0] ? HS_MY_PHASE_COMMANDS : HS_MY_PHASE_LOGIN;
	else
		error = take_packet(c, my, &packet);
	if (error)
		return error;
	if (packet.length > packet.there)
		hs_conversation_skip(c, HS_SERVER, packet.length - packet.there);
	return HS_MY_HEAD + packet.there;
}

/* ---- what was not recorded ---- */

/* Do these bytes end with a packet that ends rows, and nothing comes behind? */
static bool is_tail(const uint8_t *bytes, size_t length)
{
	const uint8_t *last;

	if (length < 11)
		return false;
	last = bytes + length - 9; /* EOF: a length of 5, and the flags at its end */
	if (hs_my_le24(last) == 5 && last[4] == 0xfe)
		return !(hs_my_le16(last + 7) & STATUS_MORE_RESULTS);
	last = bytes + length - 11; /* OK: no rows, no identity, the flags, warnings */
	return hs_my_le24(last) == 7 && last[4] == 0xfe && !last[5] && !last[6] &&
	       !(hs_my_le16(last + 7) & STATUS_MORE_RESULTS);
}

/* Where an error that ends these bytes begins; length: nowhere. */
static size_t find_error(const uint8_t *bytes, size_t length)
{
	size_t at = length < TAIL ? 0 : length - TAIL;

	for (; at + 13 <= length; at++)
		if (bytes[at + 4] == 0xff && bytes[at + 7] == '#' && hs_my_le24(bytes + at) + HS_MY_HEAD == length - at)
			return at;
	return length;
}

/* More of an answer whose packets are not told apart. */
static void take_hidden(struct hs_conversation *c, uint64_t length)
{
	if (hs_call_oldest(c))
		hs_call_oldest(c)->response_bytes += length;
}

/* The end of an answer may be seen: then the rest is read from there. */
static ssize_t feed_hidden_answer(struct hs_conversation *c, struct hs_my *my, const struct hs_slice *slice)
{
	size_t at = find_error(slice->bytes, slice->length);

	my->hidden_ns = slice->last_ns;
	my->kept = 0;
	if (at < slice->length) {
		my->hidden[HS_SERVER] = my->continues[HS_SERVER] = false;
		my->state = HS_MY_STATE_ROWS;
		take_hidden(c, at);
		return at ? (ssize_t)at : feed_server(c, my, slice);
	}
	if (is_tail(slice->bytes, slice->length)) {
		take_hidden(c, at);
		hs_my_settle(c, my);
		return at;
	}
	my->kept = hs_my_least(at, TAIL); /* it may begin here, and go on in the next segment */
	take_hidden(c, at - my->kept);
	return at - my->kept;
}

/* The end of an answer that was not found before the client went on: what comes behind it is of the next one. */
static ssize_t drop_kept(struct hs_my *my)
{
	ssize_t kept = my->kept;

	my->kept = 0;
	return kept;
}

static ssize_t feed_hidden(struct hs_conversation *c, struct hs_my *my, enum hs_side from, const struct hs_slice *slice)
{
	if (from == HS_SERVER)
		return feed_hidden_answer(c, my, slice);
	hs_my_touch(c, slice->last_ns);
	return slice->length;
}

static bool hidden(struct hs_conversation *c, enum hs_side from, uint64_t length, uint64_t last_ns)
{
	struct hs_my *my = hs_conversation_state(c);

	if (my->phase != HS_MY_PHASE_COMMANDS)
		return false;
	if (from == HS_SERVER) {
		take_hidden(c, my->kept + length);
		my->kept = 0;
		my->hidden_ns = last_ns;
	} else {
		hs_my_touch(c, last_ns);
		if (my->left >= length) { /* of a long text only the beginning is seen */
			my->left -= length;
			hs_sql_end(&my->sql);
			hs_my_feed_text(c, my, NULL, 0);
			return true;
		}
		if (!my->sends_file && !my->continues[from] && !my->hidden[from])
			return false;
		if (my->left) { /* its end, and the next packet's head */
			my->left = 0;
			hs_my_feed_text(c, my, NULL, 0);
		}
	}
	my->hidden[from] = true;
	return true;
}

/* ---- the protocols ---- */

static ssize_t feed(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct hs_my *my = hs_conversation_state(c);

	if (from == HS_SERVER && my->hidden[HS_CLIENT]) /* the file, the text has come to its end */
		my->hidden[HS_CLIENT] = my->sends_file = my->continues[HS_CLIENT] = false;
	if (my->hidden[from])
		return feed_hidden(c, my, from, slice);
	if (from == HS_SERVER && my->kept)
		return drop_kept(my);
	return from == HS_CLIENT ? hs_my_feed_client(c, my, slice) : feed_server(c, my, slice);
}

static void skipped(struct hs_conversation *c, enum hs_side from, uint64_t last_ns)
{
	if (from == HS_CLIENT)
		hs_my_touch(c, last_ns);
}

static void end(struct hs_conversation *c, uint64_t time_ns)
{
	struct hs_my *my = hs_conversation_state(c);

	(void)time_ns;
	if (my->hidden[HS_SERVER]) {
		hs_conversation_undecoded(c);
		hs_my_settle(c, my);
	}
}

static void free_state(void *state)
{
	struct hs_my *my = state;

	hs_statements_free(&my->statements);
}

const struct hs_protocol hs_protocol_mysql = {
	.name = "mysql",
	.kind = HS_PROTOCOL_DB,
	.state_size = sizeof(struct hs_my),
	.needs = HS_NEEDS_ENDS, /* how an answer went only its last bytes tell */
	.match = hs_my_match_mysql,
	.boundary = hs_my_boundary,
	.feed = feed,
	.skipped = skipped,
	.hidden = hidden,
	.end = end,
	.free = free_state,
};

/* The same, but for its name. Where the greeting was not seen nobody can tell: the first in the list gets it. */
const struct hs_protocol hs_protocol_mariadb = {
	.name = "mariadb",
	.kind = HS_PROTOCOL_DB,
	.state_size = sizeof(struct hs_my),
	.needs = HS_NEEDS_ENDS,
	.match = hs_my_match_mariadb,
	.boundary = hs_my_boundary,
	.feed = feed,
	.skipped = skipped,
	.hidden = hidden,
	.end = end,
	.free = free_state,
};
