// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/stream.h"

#include <stdlib.h>
#include <string.h>

struct hs_ahead {
	uint32_t position;
	uint8_t *bytes;
	struct hs_piece piece;
};

/* RFC 9293, 3.4: sequence numbers are compared modulo 2^32. */
static int32_t distance(uint32_t from, uint32_t to)
{
	return (int32_t)(to - from);
}

/* Cut off what has been seen; false when nothing is left. */
static bool cut(struct hs_piece *piece, uint32_t *position, uint32_t next)
{
	int32_t old = distance(*position, next);

	if (old <= 0)
		return piece->length > 0;
	if ((uint32_t)old >= piece->length)
		return false;
	*position = next;
	piece->length -= old;
	if ((uint32_t)old < piece->captured) {
		piece->captured -= old;
		piece->bytes += old;
	} else {
		piece->captured = 0;
	}
	return true;
}

/* One more than the bound fits: that one shows that it is reached. What cannot be kept is missed later. */
static void keep(struct hs_stream *stream, uint32_t position, const struct hs_piece *piece)
{
	size_t at = stream->ahead_count;
	struct hs_ahead *ahead;
	uint8_t *bytes;

	if (!stream->ahead)
		stream->ahead = calloc(HS_STREAM_AHEAD_SEGMENTS + 1, sizeof(*stream->ahead));
	if (!stream->ahead || at > HS_STREAM_AHEAD_SEGMENTS)
		return;
	bytes = malloc(piece->captured + 1);
	if (!bytes)
		return;
	if (piece->captured)
		memcpy(bytes, piece->bytes, piece->captured);
	while (at > 0 && distance(position, stream->ahead[at - 1].position) > 0)
		at--;
	ahead = stream->ahead + at;
	memmove(ahead + 1, ahead, (stream->ahead_count - at) * sizeof(*ahead));
	*ahead = (struct hs_ahead){ .position = position, .bytes = bytes, .piece = *piece };
	ahead->piece.bytes = bytes;
	stream->ahead_count++;
	stream->ahead_bytes += piece->captured;
}

bool hs_stream_feed(struct hs_stream *stream, uint32_t position, struct hs_piece *piece)
{
	if (!stream->started) {
		stream->started = true;
		stream->next = position;
	}
	if (!cut(piece, &position, stream->next))
		return false;
	if (position != stream->next) {
		keep(stream, position, piece);
		return false;
	}
	stream->next += piece->length;
	return true;
}

bool hs_stream_feed_ahead(struct hs_stream *stream, uint32_t position, struct hs_piece *piece)
{
	if (stream->started)
		return hs_stream_feed(stream, position, piece);
	keep(stream, position, piece);
	return false;
}

bool hs_stream_next(struct hs_stream *stream, struct hs_piece *piece)
{
	while (stream->started && stream->ahead_count && distance(stream->next, stream->ahead[0].position) <= 0) {
		struct hs_ahead first = stream->ahead[0];

		stream->ahead_count--;
		stream->ahead_bytes -= first.piece.captured;
		memmove(stream->ahead, stream->ahead + 1, stream->ahead_count * sizeof(first));
		free(stream->held);
		stream->held = first.bytes;
		*piece = first.piece;
		if (!cut(piece, &first.position, stream->next))
			continue;
		stream->next += piece->length;
		return true;
	}
	return false;
}

uint32_t hs_stream_give_up(struct hs_stream *stream, uint64_t now_ns)
{
	uint32_t missing = 0;

	if (!stream->ahead_count ||
	    (stream->ahead_count <= HS_STREAM_AHEAD_SEGMENTS && stream->ahead_bytes <= HS_STREAM_AHEAD_BYTES &&
	     stream->ahead[0].piece.time_ns + HS_STREAM_AHEAD_NS >= now_ns))
		return 0;
	if (!stream->started) {
		stream->started = true;
		stream->next = stream->ahead[0].position;
	}
	for (size_t i = 0; i < stream->ahead_count; i++) {
		struct hs_ahead *ahead = &stream->ahead[i];

		if (distance(stream->next, ahead->position + ahead->piece.length) > 0) {
			missing += ahead->position + ahead->piece.length - stream->next;
			stream->next = ahead->position + ahead->piece.length;
		}
		free(ahead->bytes);
	}
	stream->ahead_count = stream->ahead_bytes = 0;
	return missing;
}

void hs_stream_free(struct hs_stream *stream)
{
	for (size_t i = 0; i < stream->ahead_count; i++)
		free(stream->ahead[i].bytes);
	free(stream->ahead);
	free(stream->held);
}
