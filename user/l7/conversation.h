/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation of one connection: segments in, calls out. It puts segments in order within a
 * bound, finds out the protocol by content, runs its parser over both directions, and finds the
 * place again after a loss. It knows nothing of sockets and of the model.
 */
#ifndef HS_L7_CONVERSATION_H
#define HS_L7_CONVERSATION_H

#include "l7/protocol.h"

/* What could not be read, for each protocol. */
enum hs_l7_loss {
	HS_L7_LOSS_BYTES,    /* bytes of messages that were not seen or not understood */
	HS_L7_LOSS_MESSAGES, /* messages that a parser could not read */
	HS_L7_LOSS_CALLS,    /* calls given up: too many at once, or the place was lost amid them */
	HS_L7_LOSS_SEGMENTS, /* holes in a stream that were given up */
	HS_L7_LOSS_MAX,
};

struct hs_conversation_events {
	/* A call is over. Borrowed. The conversation must outlive the event. */
	void (*call)(void *arg, const struct hs_protocol *protocol, const struct hs_call *call);
	/* protocol: NULL while it is not known. */
	void (*loss)(void *arg, const struct hs_protocol *protocol, enum hs_l7_loss loss, uint64_t count);
};

struct hs_segment {
	enum hs_side from;
	uint32_t position;     /* TCP sequence number of its first byte */
	uint32_t length;       /* payload bytes */
	uint32_t captured;     /* how many of them are in bytes: the head */
	const uint8_t *bytes;
	bool ahead;            /* it does not begin its side, though nothing has come of that */
	uint64_t time_ns;
	uint64_t read_ns; /* since when the other side's application has read what came before; 0: not known */
};

/*
 * late: bytes have gone by before the first segment. events and arg are borrowed until
 * hs_conversation_free(). NULL when memory is short.
 */
struct hs_conversation *hs_conversation_new(bool late, const struct hs_conversation_events *events, void *arg);
void hs_conversation_free(struct hs_conversation *c); /* reports nothing; NULL is fine */

/* Segments may be repeated, overlap, and come out of order. */
void hs_conversation_feed(struct hs_conversation *c, const struct hs_segment *segment);

/* The connection has closed: what is under way is reported as unanswered. */
void hs_conversation_end(struct hs_conversation *c, uint64_t time_ns);

/*
 * Nothing is under way, and the protocol is one that another may follow from here, without the payload.
 */
bool hs_conversation_is_at_rest(const struct hs_conversation *c);
/* … and nothing is missing before these sequence numbers by side. */
bool hs_conversation_rests_at(const struct hs_conversation *c, const uint32_t position[HS_SIDES]);
/*
 * The other has done so, and it goes on here: at these sequence numbers by side, with a request asked in
 * full and not answered; or with NULL. call is borrowed, its links and private parts mean nothing.
 */
void hs_conversation_resume(struct hs_conversation *c, const uint32_t position[HS_SIDES], const struct hs_call *call);

/* … and one more, of a protocol that another follows however many there are. */
void hs_conversation_take_over(struct hs_conversation *c, const struct hs_call *call);
/* What is under way is not known: it goes on where the client begins anew. */
void hs_conversation_lose_place(struct hs_conversation *c);

/* NULL: not known (yet). */
const struct hs_protocol *hs_conversation_protocol(const struct hs_conversation *c);
/* Nobody needs to look at it any more: what it speaks is not known, or not for us. */
bool hs_conversation_is_ignored(const struct hs_conversation *c);
/* The calls that have no answer yet, oldest first, by next. */
const struct hs_call *hs_conversation_pending(const struct hs_conversation *c);

#endif
