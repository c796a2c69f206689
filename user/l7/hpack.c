// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libnghttp2 does the decoding: tables and Huffman codes. It gives up at the first index that it does not
 * know. So it is given one instruction after the other, and those with such an index in a form
 * that keeps its table in step.
 *
 * SETTINGS_HEADER_TABLE_SIZE is not looked at: an encoder says itself, in the block, when its table
 * shrinks or grows (RFC 7541, 4.2). That ours holds more, or less, than the decoder's changes no index.
 */
#include "l7/hpack.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>

#define STATIC_ENTRIES 61
#define TABLE_MAX (64u << 10) /* of a larger one only the newest are known */
#define INTEGER_MAX (1u << 24)
#define NAMELESS '?' /* stands for a name that is not known; no field has it */

/* What an instruction is told by: RFC 7541, 6. */
struct instruction {
	uint8_t opcode;
	unsigned prefix;      /* bits of its integer in the first byte */
	uint32_t index;       /* or size, for OPCODE_SIZE */
	size_t value, length; /* where its value begins, and where it ends */
};

enum {
	OPCODE_INDEXED = 0x80,
	OPCODE_INSERT = 0x40,
	OPCODE_SIZE = 0x20,
	OPCODE_NEVER = 0x10,
	OPCODE_PLAIN = 0x00,
};

/* ---- where instructions end ---- */

/* RFC 7541, 5.1. Moves *at behind it. */
static bool read_integer(const uint8_t *bytes, size_t length, size_t *at, unsigned prefix, uint32_t *number)
{
	uint32_t most = (1u << prefix) - 1;
	uint64_t sum;

	if (*at >= length)
		return false;
	sum = bytes[(*at)++] & most;
	for (unsigned shift = 0; sum >= most; shift += 7) {
		uint8_t byte;

		if (*at >= length || shift > 21)
			return false;
		byte = bytes[(*at)++];
		sum += (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	*number = sum;
	return sum <= INTEGER_MAX;
}

static bool skip_string(const uint8_t *bytes, size_t length, size_t *at)
{
	uint32_t size;

	if (!read_integer(bytes, length, at, 7, &size) || size > length - *at)
		return false;
	*at += size;
	return true;
}

static void read_opcode(uint8_t byte, struct instruction *instruction)
{
	if (byte & OPCODE_INDEXED)
		*instruction = (struct instruction){ .opcode = OPCODE_INDEXED, .prefix = 7 };
	else if (byte & OPCODE_INSERT)
		*instruction = (struct instruction){ .opcode = OPCODE_INSERT, .prefix = 6 };
	else if (byte & OPCODE_SIZE)
		*instruction = (struct instruction){ .opcode = OPCODE_SIZE, .prefix = 5 };
	else
		*instruction = (struct instruction){ .opcode = byte & OPCODE_NEVER, .prefix = 4 };
}

static bool read_instruction(const uint8_t *bytes, size_t length, struct instruction *instruction)
{
	size_t at = 0;

	read_opcode(bytes[0], instruction);
	if (!read_integer(bytes, length, &at, instruction->prefix, &instruction->index))
		return false;
	if (instruction->opcode == OPCODE_INDEXED && !instruction->index)
		return false;
	if (instruction->opcode != OPCODE_INDEXED && instruction->opcode != OPCODE_SIZE) {
		if (!instruction->index && !skip_string(bytes, length, &at))
			return false; /* its name */
		instruction->value = at;
		if (!skip_string(bytes, length, &at))
			return false;
	}
	instruction->length = at;
	return true;
}

/* ---- decoding ---- */

/* sink: NULL when nobody wants to know. */
static int inflate(struct hs_hpack *hpack, const uint8_t *bytes, size_t length, struct hs_field_sink *sink)
{
	int flags = 0;
	nghttp2_nv nv;
	ssize_t taken = nghttp2_hd_inflate_hd2(hpack->inflater, &nv, &flags, bytes, length, 0);

	if (taken == NGHTTP2_ERR_NOMEM)
		return -ENOMEM;
	if (taken != (ssize_t)length)
		return -EBADMSG;
	if (sink && flags & NGHTTP2_HD_INFLATE_EMIT) {
		struct hs_field field = { nv.name, nv.value, nv.namelen, nv.valuelen };

		if (field.name_length == 1 && field.name[0] == NAMELESS)
			sink->hidden = true;
		else
			sink->take(sink->arg, &field);
	}
	return 0;
}

/* The name is older than what we know; the entry that it makes has its place all the same. */
static int inflate_nameless(struct hs_hpack *hpack, const uint8_t *bytes, const struct instruction *instruction)
{
	const uint8_t name[] = { instruction->opcode, 1, NAMELESS };
	int error = inflate(hpack, name, sizeof(name), NULL);

	return error ? error : inflate(hpack, bytes + instruction->value, instruction->length - instruction->value, NULL);
}

/* A table larger than ours: RFC 7541, 5.1 has the integer. */
static int inflate_largest(struct hs_hpack *hpack)
{
	static const uint8_t size[] = { OPCODE_SIZE | 0x1f, 0xe1, 0xff, 0x03 }; /* 65536 */

	return inflate(hpack, size, sizeof(size), NULL);
}

static int follow(struct hs_hpack *hpack, const uint8_t *bytes, const struct instruction *instruction,
		  struct hs_field_sink *sink)
{
	if (instruction->opcode == OPCODE_SIZE)
		return instruction->index > TABLE_MAX ? inflate_largest(hpack) :
							inflate(hpack, bytes, instruction->length, NULL);
	if (instruction->index > STATIC_ENTRIES &&
	    instruction->index > nghttp2_hd_inflate_get_num_table_entries(hpack->inflater)) {
		sink->hidden = true;
		return instruction->opcode == OPCODE_INDEXED ? 0 : inflate_nameless(hpack, bytes, instruction);
	}
	return inflate(hpack, bytes, instruction->length, sink);
}

static int begin(struct hs_hpack *hpack)
{
	if (hpack->inflater)
		return 0;
	if (nghttp2_hd_inflate_new(&hpack->inflater))
		return -ENOMEM;
	nghttp2_hd_inflate_change_table_size(hpack->inflater, TABLE_MAX); /* the most that it may be told */
	return 0;
}

int hs_hpack_decode(struct hs_hpack *hpack, const uint8_t *block, size_t length, struct hs_field_sink *sink)
{
	int error = begin(hpack);

	for (size_t at = 0; at < length && !error;) {
		struct instruction instruction;

		if (!read_instruction(block + at, length - at, &instruction))
			error = -EBADMSG;
		else
			error = follow(hpack, block + at, &instruction, sink);
		at += instruction.length;
	}
	if (error) {
		sink->hidden = true;
		hs_hpack_forget(hpack);
		return error;
	}
	nghttp2_hd_inflate_end_headers(hpack->inflater);
	return 0;
}

void hs_hpack_forget(struct hs_hpack *hpack)
{
	if (hpack->inflater)
		nghttp2_hd_inflate_del(hpack->inflater);
	hpack->inflater = NULL;
}
