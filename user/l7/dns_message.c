// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/dns_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LABEL_MAX 63
#define POINTER 0xc0
#define ANSWERS_MAX 64 /* that are looked at in one message */
#define RECORD_BYTES 10 /* of a record, behind its name and before its data */

struct message {
	const uint8_t *bytes;
	size_t length;
};

static uint16_t u16(const uint8_t *at)
{
	return at[0] << 8 | at[1];
}

static uint32_t u32(const uint8_t *at)
{
	return (uint32_t)u16(at) << 16 | u16(at + 2);
}

/* ---- names ---- */

/* Letters of a name are told apart by nothing but themselves (RFC 4343); what is no text is "?". */
static char letter(uint8_t byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte | 0x20;
	return byte > ' ' && byte < 0x7f && byte != '.' ? byte : '?';
}

static size_t put_label(char *name, size_t filled, const uint8_t *label, size_t length)
{
	if (filled)
		name[filled++] = '.';
	for (size_t i = 0; i < length; i++)
		name[filled++] = letter(label[i]);
	return filled;
}

/*
 * The name at `at` as text; *next is where it ends there. A pointer leads to what came before the
 * labels it stands behind, so that there is no way round. 0, -EAGAIN or -EBADMSG.
 */
static int read_name(struct message message, size_t at, char name[HS_DNS_NAME_LEN], size_t *next)
{
	size_t filled = 0, taken = 1, begin = at;
	bool pointed = false;

	for (;;) {
		uint8_t length;

		if (at >= message.length)
			return pointed ? -EBADMSG : -EAGAIN;
		length = message.bytes[at];
		if (length >= POINTER) {
			size_t to;

			if (at + 2 > message.length)
				return pointed ? -EBADMSG : -EAGAIN;
			to = u16(message.bytes + at) & 0x3fff;
			if (!pointed)
				*next = at + 2;
			pointed = true;
			if (to >= begin || to < HS_DNS_HEADER_BYTES)
				return -EBADMSG;
			at = begin = to;
			continue;
		}
		if (!length)
			break;
		taken += length + 1;
		if (length > LABEL_MAX || taken > HS_DNS_NAME_BYTES)
			return -EBADMSG;
		if (at + 1 + length > message.length)
			return pointed ? -EBADMSG : -EAGAIN;
		filled = put_label(name, filled, message.bytes + at + 1, length);
		at += 1 + length;
	}
	if (!pointed)
		*next = at + 1;
	if (!filled)
		name[filled++] = '.';
	name[filled] = '\0';
	return 0;
}

/* ---- header and question ---- */

static void read_header(const uint8_t *bytes, struct hs_dns_message *message)
{
	message->id = u16(bytes);
	message->answer = bytes[2] >> 7;
	message->opcode = bytes[2] >> 3 & 15;
	message->truncated = bytes[2] >> 1 & 1;
	message->rcode = bytes[3] & 15;
	message->questions = u16(bytes + 4);
	message->answers = u16(bytes + 6);
	message->authorities = u16(bytes + 8);
	message->additionals = u16(bytes + 10);
	message->question_end = HS_DNS_HEADER_BYTES;
}

static int read_question(struct message from, struct hs_dns_message *message)
{
	size_t next = 0;
	int error = read_name(from, HS_DNS_HEADER_BYTES, message->name, &next);

	if (error)
		return error;
	if (next + 4 > from.length)
		return -EAGAIN;
	message->type = u16(from.bytes + next);
	message->class_ = u16(from.bytes + next + 2);
	message->question_end = next + 4;
	return 0;
}

int hs_dns_read(const uint8_t *bytes, size_t length, struct hs_dns_message *message)
{
	struct hs_dns_message read = {};
	int error;

	if (length < HS_DNS_HEADER_BYTES)
		return -EAGAIN;
	read_header(bytes, &read);
	if (read.questions > 1 || (!read.questions && !read.answer))
		return -EBADMSG;
	error = read.questions ? read_question((struct message){ bytes, length }, &read) : 0;
	if (!error)
		*message = read;
	return error;
}

/* ---- answers ---- */

static bool take_address(const uint8_t *data, size_t length, uint16_t type, struct hs_dns_address *address)
{
	if (type == HS_DNS_TYPE_A && length == 4) {
		memset(address->address, 0, 10);
		memset(address->address + 10, 0xff, 2);
		memcpy(address->address + 12, data, 4);
		return true;
	}
	if (type != HS_DNS_TYPE_AAAA || length != 16)
		return false;
	memcpy(address->address, data, 16);
	return true;
}

size_t hs_dns_addresses(const uint8_t *bytes, size_t length, const struct hs_dns_message *message,
			struct hs_dns_address *addresses, size_t max)
{
	struct message from = { bytes, length };
	char wanted[HS_DNS_NAME_LEN], owner[HS_DNS_NAME_LEN];
	size_t at = message->question_end, count = 0;
	uint32_t least = UINT32_MAX;

	memcpy(wanted, message->name, sizeof(wanted));
	for (int i = 0; i < ANSWERS_MAX && i < message->answers && count < max; i++) {
		uint16_t type, size;
		uint32_t ttl;

		if (read_name(from, at, owner, &at) || at + RECORD_BYTES > length)
			break;
		type = u16(bytes + at);
		ttl = u32(bytes + at + 4);
		size = u16(bytes + at + 8);
		at += RECORD_BYTES;
		if (size > length - at)
			break;
		if (!strcmp(owner, wanted)) {
			size_t end;

			if (ttl < least)
				least = ttl;
			if (type == HS_DNS_TYPE_CNAME && read_name(from, at, wanted, &end))
				break;
			addresses[count].ttl = least;
			count += take_address(bytes + at, size, type, &addresses[count]);
		}
		at += size;
	}
	return count;
}

/* ---- words ---- */

/* https://www.iana.org/assignments/dns-parameters: those that are asked for. */
static const struct {
	uint16_t type;
	const char *name;
} types[] = {
	{ 1, "A" }, { 2, "NS" }, { 5, "CNAME" }, { 6, "SOA" }, { 12, "PTR" }, { 13, "HINFO" }, { 15, "MX" },
	{ 16, "TXT" }, { 24, "SIG" }, { 25, "KEY" }, { 28, "AAAA" }, { 29, "LOC" }, { 33, "SRV" }, { 35, "NAPTR" },
	{ 37, "CERT" }, { 39, "DNAME" }, { 43, "DS" }, { 44, "SSHFP" }, { 46, "RRSIG" }, { 47, "NSEC" },
	{ 48, "DNSKEY" }, { 50, "NSEC3" }, { 51, "NSEC3PARAM" }, { 52, "TLSA" }, { 53, "SMIMEA" }, { 55, "HIP" },
	{ 59, "CDS" }, { 60, "CDNSKEY" }, { 61, "OPENPGPKEY" }, { 64, "SVCB" }, { 65, "HTTPS" }, { 99, "SPF" },
	{ 249, "TKEY" }, { 250, "TSIG" }, { 251, "IXFR" }, { 252, "AXFR" }, { 255, "ANY" }, { 256, "URI" },
	{ 257, "CAA" },
};

static const struct {
	const char *name;
	bool failure;
} rcodes[16] = {
	[0] = { "", false }, [1] = { "formerr", true }, [2] = { "servfail", true }, [3] = { "nxdomain", false },
	[4] = { "notimp", true }, [5] = { "refused", true }, [6] = { "yxdomain", true }, [7] = { "yxrrset", true },
	[8] = { "nxrrset", true }, [9] = { "notauth", true }, [10] = { "notzone", true }, [11] = { "dsotypeni", true },
};

void hs_dns_type_text(uint16_t type, char text[HS_DNS_TYPE_LEN])
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		if (types[i].type == type) {
			snprintf(text, HS_DNS_TYPE_LEN, "%s", types[i].name);
			return;
		}
	}
	snprintf(text, HS_DNS_TYPE_LEN, "TYPE%u", type);
}

void hs_dns_rcode_text(uint8_t rcode, char text[HS_DNS_TYPE_LEN])
{
	if (rcode < 16 && rcodes[rcode].name)
		snprintf(text, HS_DNS_TYPE_LEN, "%s", rcodes[rcode].name);
	else
		snprintf(text, HS_DNS_TYPE_LEN, "rcode%u", rcode);
}

bool hs_dns_rcode_is_failure(uint8_t rcode)
{
	return rcode >= 16 || !rcodes[rcode].name || rcodes[rcode].failure;
}
