/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One direction of a TCP connection put in order: segments in, pieces out. Duplicates are left
 * out; what is ahead of a hole is kept within a bound until the hole fills.
 */
#ifndef HS_L7_STREAM_H
#define HS_L7_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may wait behind a hole; when it is more, or has waited longer, the hole is given up. */
#define HS_STREAM_AHEAD_SEGMENTS 64
#define HS_STREAM_AHEAD_BYTES (128u << 10)
#define HS_STREAM_AHEAD_NS 3000000000ull

/* A piece of the stream: length bytes, of which the first `captured` are in bytes. */
struct hs_piece {
	uint32_t length, captured;
	const uint8_t *bytes;
	uint64_t time_ns;
};

struct hs_stream {
	bool started;
	uint32_t next; /* sequence number of the next byte */
	struct hs_ahead *ahead; /* sorted by position; NULL until it is needed */
	size_t ahead_count, ahead_bytes;
	uint8_t *held; /* bytes of the last piece that had waited */
};

/*
 * A segment has come. True when it, or what is left of it, is next: *piece, with the caller's
 * bytes. In any case call hs_stream_next() until it is false.
 */
bool hs_stream_feed(struct hs_stream *stream, uint32_t position, struct hs_piece *piece);

/* The same of one that does not begin the stream, though nothing has come yet: what is before it will. */
bool hs_stream_feed_ahead(struct hs_stream *stream, uint32_t position, struct hs_piece *piece);

/* What had waited and is next now. The piece is valid until the next call. */
bool hs_stream_next(struct hs_stream *stream, struct hs_piece *piece);

/*
 * Call it behind hs_stream_next(). When too much waits, or for too long, the hole will not fill: all
 * that waited is thrown away with it, since its time is over, and the next segment will be in order.
 * How many bytes are missing in all; 0: nothing is given up.
 */
uint32_t hs_stream_give_up(struct hs_stream *stream, uint64_t now_ns);

void hs_stream_free(struct hs_stream *stream);

#endif
