/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/2 (RFC 9113) in two halves: http2.c reads frames and puts header blocks together, http2_calls.c
 * knows what they mean for the calls on their streams.
 */
#ifndef HS_L7_HTTP2_H
#define HS_L7_HTTP2_H

#include "l7/hpack.h"
#include "l7/protocol.h"

enum hs_http2_type {
	HS_HTTP2_DATA,
	HS_HTTP2_HEADERS,
	HS_HTTP2_PRIORITY,
	HS_HTTP2_RST_STREAM,
	HS_HTTP2_SETTINGS,
	HS_HTTP2_PUSH_PROMISE,
	HS_HTTP2_PING,
	HS_HTTP2_GOAWAY,
	HS_HTTP2_WINDOW_UPDATE,
	HS_HTTP2_CONTINUATION,
	HS_HTTP2_TYPES,
};

#define HS_HTTP2_END_STREAM 0x1
#define HS_HTTP2_ACK 0x1
#define HS_HTTP2_END_HEADERS 0x4
#define HS_HTTP2_PADDED 0x8
#define HS_HTTP2_HAS_PRIORITY 0x20

struct hs_http2_frame {
	uint32_t length; /* of its payload */
	uint32_t stream;
	uint8_t type, flags;
};

/* A header block, from the frame that begins it to END_HEADERS. */
struct hs_http2_block {
	bool open;                 /* CONTINUATION must come next */
	bool promise, end_stream;
	bool too_long;             /* and therefore not kept */
	uint32_t stream;
	uint64_t first_ns;
	uint8_t *bytes;
	size_t length, capacity;
};

struct hs_http2_side {
	struct hs_hpack hpack;
	struct hs_http2_block block;
	struct hs_http2_frame frame; /* whose payload is under way */
	uint32_t left;               /* of it, when it is part of the block */
	size_t frame_at;             /* where it begins in the block's bytes */
	bool skipping;               /* its data */
	bool blind;                  /* bytes are being missed */
	uint32_t frame_max;          /* the longest that the other side has allowed; 0: what the RFC has */
};

struct hs_http2 {
	struct hs_http2_side side[HS_SIDES];
	bool begun, preface;
	uint32_t last_stream;            /* the highest that the client has opened */
	uint32_t gap_begin, gap_end;     /* streams between them were opened while nobody saw it */
	bool going;                      /* the server has said GOAWAY */
	uint32_t goaway_stream, goaway_error;
};

/* ---- http2_calls.c; times are those of first and last byte ---- */

/* Before all else: what it means that bytes before the first were missed, or spoken as HTTP/1. */
void hs_http2_begin(struct hs_conversation *c, struct hs_http2 *http);
/* A header block is complete. It is decoded in any case, to keep the tables in step. */
void hs_http2_headers(struct hs_conversation *c, enum hs_side from, const struct hs_http2_block *block,
		      const uint8_t *bytes, size_t length, uint64_t last_ns);
void hs_http2_data(struct hs_conversation *c, enum hs_side from, uint32_t stream, uint32_t length, uint64_t first_ns);
/* All that `from` sends on that stream has been sent. */
void hs_http2_end_stream(struct hs_conversation *c, enum hs_side from, uint32_t stream, uint64_t last_ns);
void hs_http2_reset(struct hs_conversation *c, enum hs_side from, uint32_t stream, uint32_t error, uint64_t now_ns);
void hs_http2_goaway(struct hs_conversation *c, enum hs_side from, uint32_t last_stream, uint32_t error,
		     uint64_t now_ns);
/* Bytes of `from` were missed. */
void hs_http2_lose_calls(struct hs_conversation *c, enum hs_side from);
void hs_http2_close(struct hs_conversation *c);

#endif
