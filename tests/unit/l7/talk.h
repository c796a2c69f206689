/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversations made by hand, and the calls that come of them. */
#ifndef HS_TEST_TALK_H
#define HS_TEST_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "l7/conversation.h"

/* One side says something. length 0: strlen(bytes). */
struct turn {
	enum hs_side from;
	const char *bytes;
	size_t length;
};

#define TALK_CALLS_MAX 64
#define TALK_START_NS 1000000000ull
#define TALK_STEP_NS 1000ull /* between two segments */

struct talk {
	struct hs_conversation *conversation;
	const struct hs_protocol *protocol; /* of the last call */
	struct hs_call calls[TALK_CALLS_MAX];
	size_t call_count; /* may be more than there is room for */
	uint64_t losses[HS_L7_LOSS_MAX];
	uint64_t now_ns;
	uint32_t position[HS_SIDES];
};

void talk_begin(struct talk *talk, bool late);
/* A segment in order; `captured` of its bytes are there. */
void talk_segment(struct talk *talk, enum hs_side from, const void *bytes, size_t length, size_t captured);
/* A segment that is lost: its place in the stream goes by. */
void talk_lose(struct talk *talk, enum hs_side from, size_t length);
void talk_end(struct talk *talk); /* the connection closes; the conversation is freed */

/* All calls as lines, one each: "OPERATION target status error request_bytes response_bytes end". */
void talk_write(const struct talk *talk, char *text, size_t size);

/*
 * The turns must give exactly these lines (as of talk_write), without a loss: each turn as one
 * segment, byte by byte, and with every turn cut in two at every place; the same without a crash
 * when everything ends at any place.
 */
void talk_check(const struct turn *turns, size_t count, const char *expected);
#define TALK(EXPECTED, ...)                                                                  \
	do {                                                                                 \
		const struct turn turns_[] = { __VA_ARGS__ };                                \
		talk_check(turns_, sizeof(turns_) / sizeof(*turns_), EXPECTED);              \
	} while (0)

#endif
