// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DNS over TCP: RFC 7766. Each message has its length before it; answers come in any order, by id.
 * Over UDP there is no conversation: model/dns.c reads the same messages there.
 */
#include <errno.h>
#include <string.h>

#include "l7/dns_message.h"
#include "l7/protocols.h"

#define LENGTH_BYTES 2
#define HEAD_BYTES (LENGTH_BYTES + HS_DNS_HEADER_BYTES + HS_DNS_QUESTION_BYTES) /* all that is read of a message */
#define CLASS_IN 1
#define CLASS_CHAOS 3
#define CLASS_HESIOD 4
#define CLASS_ANY 255
#define ADDITIONALS_MAX 4 /* of a query: EDNS, a signature */
#define RESERVED 0x40     /* in the second byte of flags: RFC 1035, 4.1.1 "Z" */

struct dns {
	struct hs_call *answering; /* the rest of whose answer is being skipped; NULL: none */
};

static size_t length_of(const uint8_t *bytes)
{
	return bytes[0] << 8 | bytes[1];
}

static void begin_call(struct hs_conversation *c, const struct hs_slice *slice, const struct hs_dns_message *message)
{
	struct hs_call *call = hs_call_begin(c, message->id, slice->first_ns);

	if (!call)
		return;
	call->request_end_ns = slice->last_ns;
	call->request_bytes = length_of(slice->bytes);
	hs_dns_type_text(message->type, call->operation);
	hs_call_text(call->target, sizeof(call->target), (const uint8_t *)message->name, strlen(message->name));
}

static void take_answer(struct hs_call *call, const struct hs_slice *slice, const struct hs_dns_message *message)
{
	call->response_ns = slice->first_ns;
	call->response_end_ns = slice->last_ns;
	call->response_bytes = length_of(slice->bytes);
	call->status = message->rcode;
	call->failed = hs_dns_rcode_is_failure(message->rcode);
	hs_dns_rcode_text(message->rcode, call->error);
}

/* How much of a message is needed: its head, and then the rest is skipped. */
static ssize_t feed(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice)
{
	struct dns *dns = hs_conversation_state(c);
	struct hs_dns_message message;
	struct hs_call *call = NULL;
	size_t whole, there;

	if (slice->length < LENGTH_BYTES)
		return 0;
	whole = LENGTH_BYTES + length_of(slice->bytes);
	there = whole < slice->length ? whole : slice->length;
	if (there < whole && there < HEAD_BYTES)
		return 0;
	if (hs_dns_read(slice->bytes + LENGTH_BYTES, there - LENGTH_BYTES, &message) ||
	    message.answer != (from == HS_SERVER))
		hs_conversation_undecoded(c);
	else if (from == HS_CLIENT)
		begin_call(c, slice, &message);
	else
		call = hs_call_find(c, message.id); /* none: the rest of a zone, which is many messages */
	if (call)
		take_answer(call, slice, &message);
	if (there < whole) {
		dns->answering = call;
		hs_conversation_skip(c, from, whole - there);
	} else if (call) {
		hs_call_done(c, call);
	}
	return there;
}

static void skipped(struct hs_conversation *c, enum hs_side from, uint64_t last_ns)
{
	struct dns *dns = hs_conversation_state(c);

	if (from != HS_SERVER || !dns->answering)
		return;
	dns->answering->response_end_ns = last_ns;
	hs_call_done(c, dns->answering);
	dns->answering = NULL;
}

/* ---- is it DNS? ---- */

static bool is_class(uint16_t class_)
{
	return class_ == CLASS_IN || class_ == CLASS_CHAOS || class_ == CLASS_HESIOD || class_ == CLASS_ANY;
}

/* As far as they have come, bytes that a query begins with: one question, and nothing else but additions. */
static bool may_be_query(const uint8_t *bytes, size_t length)
{
	static const struct {
		uint8_t mask, value;
	} header[LENGTH_BYTES + HS_DNS_HEADER_BYTES] = {
		[4] = { 0xfe, 0 },                 /* a query of opcode QUERY, maybe recursive */
		[5] = { 0x80 | RESERVED | 0x0f, 0 }, /* no rcode */
		[6] = { 0xff, 0 }, [7] = { 0xff, 1 }, /* one question */
		[8] = { 0xff, 0 }, [9] = { 0xff, 0 }, [10] = { 0xff, 0 },
		[12] = { 0xff, 0 },
	};

	for (size_t i = 0; i < length && i < sizeof(header) / sizeof(*header); i++)
		if ((bytes[i] & header[i].mask) != header[i].value)
			return false;
	return length <= 13 || bytes[13] <= ADDITIONALS_MAX;
}

static enum hs_match match(enum hs_side from, const uint8_t *bytes, size_t length)
{
	struct hs_dns_message message;
	size_t whole;
	int error;

	if (from != HS_CLIENT || !may_be_query(bytes, length))
		return HS_MATCH_NO;
	if (length < LENGTH_BYTES + HS_DNS_HEADER_BYTES)
		return HS_MATCH_MORE;
	whole = length_of(bytes);
	length -= LENGTH_BYTES;
	error = hs_dns_read(bytes + LENGTH_BYTES, length < whole ? length : whole, &message);
	if (error == -EAGAIN && length < whole)
		return HS_MATCH_MORE;
	return !error && is_class(message.class_) && message.type ? HS_MATCH_YES : HS_MATCH_NO;
}

const struct hs_protocol hs_protocol_dns = {
	.name = "dns",
	.kind = HS_PROTOCOL_DNS,
	.state_size = sizeof(struct dns),
	.needs = HS_NEEDS_ALL,
	.match = match,
	.feed = feed,
	.skipped = skipped,
};
