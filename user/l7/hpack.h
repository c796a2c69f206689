/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HPACK (RFC 7541) for one who may have come late. Entries of the dynamic table are counted from the newest,
 * so what was put into it since we have been listening is known for certain, and everything
 * older is known to be unknown: an index never means another field than it says.
 */
#ifndef HS_L7_HPACK_H
#define HS_L7_HPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One direction of a connection. Zeroed is a good beginning. */
struct hs_hpack {
	struct nghttp2_hd_inflater *inflater; /* NULL until it is needed */
};

/* Bytes, valid during the call. */
struct hs_field {
	const uint8_t *name, *value;
	size_t name_length, value_length;
};

struct hs_field_sink {
	void (*take)(void *arg, const struct hs_field *field);
	void *arg;
	bool hidden; /* set when the block has fields that only those know who have listened longer */
};

/*
 * A whole header block. 0; or -EBADMSG: it is none, -ENOMEM. Then the fields up to there have been taken, the
 * rest counts as hidden, and the table begins anew.
 */
int hs_hpack_decode(struct hs_hpack *hpack, const uint8_t *block, size_t length, struct hs_field_sink *sink);

/* A header block was missed: what is in the table so far is counted no more. */
void hs_hpack_forget(struct hs_hpack *hpack);

#endif
