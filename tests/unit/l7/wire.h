/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/2 made by hand: frames, and header blocks by libnghttp2's encoder. */
#ifndef HS_TEST_WIRE_H
#define HS_TEST_WIRE_H

#include <nghttp2/nghttp2.h>

#include "l7/http2.h"
#include "talk.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS_EMPTY "\0\0\0\4\0\0\0\0"
#define END HS_HTTP2_END_STREAM

/* What one side says; room for one test's. */
struct wire {
	uint8_t bytes[96 << 10];
	size_t length;
	nghttp2_hd_deflater *encoder; /* NULL: none yet */
};

void wire_raw(struct wire *wire, const void *bytes, size_t length);
void wire_frame(struct wire *wire, int type, int flags, uint32_t stream, const void *payload, size_t length);
/* "name: value" by line, in one HEADERS frame. */
void wire_headers(struct wire *wire, int flags, uint32_t stream, const char *lines);
/* The block alone; its length. */
size_t wire_block(struct wire *wire, const char *lines, uint8_t *block, size_t size);
void wire_data(struct wire *wire, int flags, uint32_t stream, size_t length);
void wire_word(struct wire *wire, int type, uint32_t stream, uint32_t word); /* RST_STREAM, WINDOW_UPDATE */
void wire_goaway(struct wire *wire, uint32_t last_stream, uint32_t error);
/* What has been written becomes a turn; the wire is empty, and its encoder remembers. */
struct turn wire_turn(struct wire *wire, enum hs_side from);
void wire_free(struct wire *wire); /* it, and the turns that came of it */

#endif
