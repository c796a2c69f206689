/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RESP2 and RESP3 (redis.io/docs/reference/protocol-spec): the elements of an answer, read one by one.
 * Lists in lists need no stack: how many elements are to come in all is one number.
 */
#ifndef HS_L7_RESP_H
#define HS_L7_RESP_H

#include <errno.h>

#include "l7/protocol.h"

#define HS_RESP_TEXT_MAX 64 /* of an element whose text is looked at; a longer one is none that we know */
#define HS_RESP_DEPTH_MAX 8 /* of what that number does not tell: streamed aggregates, attributes */
#define HS_RESP_BULK_MAX (1ll << 40)

struct hs_resp_frame {
	uint64_t left; /* elements to come */
	bool streamed; /* … nobody knows how many */
};

/* An answer, or what is pushed, while its elements are read. */
struct hs_resp {
	bool under_way;
	bool failed, in_chunk;
	bool wants_word;        /* of a list, its first element tells what it is */
	bool wants_errors;      /* errors among its elements are its own */
	char type;              /* of the whole */
	uint8_t depth;
	uint8_t attribute;      /* the frame of an attribute, 0: outside of one */
	uint64_t seen;          /* elements, without those of attributes */
	uint64_t first_ns, bytes;
	int64_t total;          /* the third element of a list: how many subscriptions there are now */
	char word[HS_RESP_TEXT_MAX];    /* of an error the first; of a list the first element */
	struct hs_resp_frame frame[HS_RESP_DEPTH_MAX];
};

enum hs_resp_taken {
	HS_RESP_MORE, /* no further for now: the rest of the line is needed, or a value is being skipped */
	HS_RESP_ELEMENT,
	HS_RESP_WHOLE, /* … and with it the answer is over */
};

/*
 * The number between a type and the end of the line, at *at; then *at is behind it. 1, 0: its end
 * has not come yet, -EBADMSG.
 */
static inline int hs_resp_number(const uint8_t **at, const uint8_t *end, int64_t *number)
{
	const uint8_t *digit = *at;
	bool negative = digit < end && *digit == '-';
	int64_t value = 0;

	for (digit += negative; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
		if (value > INT64_MAX / 10 - 1)
			return -EBADMSG;
		value = value * 10 + (*digit - '0');
	}
	if (digit == end || (*digit == '\r' && digit + 1 == end))
		return digit - *at > 20 ? -EBADMSG : 0;
	if (digit == *at + negative || digit[0] != '\r' || digit[1] != '\n')
		return -EBADMSG;
	*at = digit + 2;
	*number = negative ? -value : value;
	return 1;
}

void hs_resp_begin(struct hs_resp *answer, uint64_t first_ns);

/* The next element, at *at; then *at is behind it. enum hs_resp_taken, or -EBADMSG. */
int hs_resp_take(struct hs_conversation *c, struct hs_resp *answer, const uint8_t **at, const uint8_t *end);

/* The value that was skipped has gone by. */
enum hs_resp_taken hs_resp_skipped(struct hs_resp *answer);

#endif
