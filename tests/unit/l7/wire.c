// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire.h"

#include <stdlib.h>

#define FIELDS_MAX 32
#define TURNS_MAX 64

static uint8_t *turns[TURNS_MAX];
static size_t turn_count;

void wire_raw(struct wire *wire, const void *bytes, size_t length)
{
	assert_true(length <= sizeof(wire->bytes) - wire->length);
	memcpy(wire->bytes + wire->length, bytes, length);
	wire->length += length;
}

void wire_frame(struct wire *wire, int type, int flags, uint32_t stream, const void *payload, size_t length)
{
	const uint8_t head[] = {
		length >> 16, length >> 8, length, type, flags, stream >> 24, stream >> 16, stream >> 8, stream,
	};

	wire_raw(wire, head, sizeof(head));
	wire_raw(wire, payload, length);
}

static size_t split(char *lines, nghttp2_nv *fields)
{
	size_t count = 0;
	char *next = NULL;

	for (char *line = strtok_r(lines, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
		char *colon = strstr(line, ": ");

		assert_non_null(colon);
		assert_true(count < FIELDS_MAX);
		fields[count++] = (nghttp2_nv){
			.name = (uint8_t *)line, .namelen = colon - line,
			.value = (uint8_t *)colon + 2, .valuelen = strlen(colon + 2),
		};
	}
	return count;
}

size_t wire_block(struct wire *wire, const char *lines, uint8_t *block, size_t size)
{
	nghttp2_nv fields[FIELDS_MAX];
	char *copy = strdup(lines);
	size_t count = split(copy, fields);
	ssize_t length;

	if (!wire->encoder)
		assert_int_equal(nghttp2_hd_deflate_new(&wire->encoder, 4096), 0);
	length = nghttp2_hd_deflate_hd(wire->encoder, block, size, fields, count);
	assert_true(length >= 0);
	free(copy);
	return length;
}

void wire_headers(struct wire *wire, int flags, uint32_t stream, const char *lines)
{
	static uint8_t block[64 << 10];
	size_t length = wire_block(wire, lines, block, sizeof(block));

	wire_frame(wire, HS_HTTP2_HEADERS, flags | HS_HTTP2_END_HEADERS, stream, block, length);
}

void wire_data(struct wire *wire, int flags, uint32_t stream, size_t length)
{
	static const uint8_t body[32 << 10];

	wire_frame(wire, HS_HTTP2_DATA, flags, stream, body, length);
}

void wire_word(struct wire *wire, int type, uint32_t stream, uint32_t word)
{
	const uint8_t bytes[] = { word >> 24, word >> 16, word >> 8, word };

	wire_frame(wire, type, 0, stream, bytes, sizeof(bytes));
}

void wire_goaway(struct wire *wire, uint32_t last_stream, uint32_t error)
{
	const uint8_t bytes[] = {
		last_stream >> 24, last_stream >> 16, last_stream >> 8, last_stream,
		error >> 24, error >> 16, error >> 8, error, 'b', 'y', 'e',
	};

	wire_frame(wire, HS_HTTP2_GOAWAY, 0, 0, bytes, sizeof(bytes));
}

struct turn wire_turn(struct wire *wire, enum hs_side from)
{
	uint8_t *copy = malloc(wire->length);
	struct turn turn = { from, (const char *)copy, wire->length };

	assert_true(turn_count < TURNS_MAX);
	turns[turn_count++] = copy;
	memcpy(copy, wire->bytes, wire->length);
	wire->length = 0;
	return turn;
}

void wire_free(struct wire *wire)
{
	if (wire->encoder)
		nghttp2_hd_deflate_del(wire->encoder);
	*wire = (struct wire){};
	while (turn_count)
		free(turns[--turn_count]);
}
