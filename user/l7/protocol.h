/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a protocol is to us: one file with one struct hs_protocol, and its row in protocols.c.
 *
 * A parser is a pure function over the bytes of a conversation: it does no I/O, keeps no global
 * state, allocates nothing that grows with what it reads beyond its own bounded state, and
 * believes no length on the wire. It is given bytes in order, each byte once it is consumed, and
 * decides how many it takes. What it does not need to see (bodies, values) it skips.
 */
#ifndef HS_L7_PROTOCOL_H
#define HS_L7_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/side.h"
#include "l7/call.h"

struct hs_conversation;

/* Contiguous bytes that one side sent. Borrowed for the call. */
struct hs_slice {
	const uint8_t *bytes;
	size_t length;
	uint64_t first_ns; /* when bytes[0] was seen */
	uint64_t last_ns;  /* when its last byte was */
};

/* The most that a conversation keeps for a parser that waits for the rest of something. */
#define HS_WINDOW (16u << 10)

enum hs_match {
	HS_MATCH_NO,
	HS_MATCH_MORE, /* it may be: more bytes will tell */
	HS_MATCH_YES,
};

/* Which of the semantic conventions' metrics its calls go to. */
enum hs_protocol_kind {
	HS_PROTOCOL_HTTP, /* http_…; calls with rpc set go to rpc_… */
	HS_PROTOCOL_DB,   /* db_…, name is db.system.name */
	HS_PROTOCOL_DNS,  /* dns_… */
	HS_PROTOCOL_TLS,  /* hopscope_tls_…: a handshake is a call */
};

/* How much a parser needs of a turn, which is all that a side says until the other speaks. */
enum hs_protocol_needs {
	HS_NEEDS_HEADS, /* its first 4 KiB */
	HS_NEEDS_ENDS,  /* the first 128 KiB, and behind them the ends of what the application sends */
	HS_NEEDS_ALL,
};

struct hs_protocol {
	const char *name;    /* as in labels and JSON: "http", "postgresql" */
	enum hs_protocol_kind kind;
	size_t state_size;   /* of the parser's state for a connection; zeroed before the first use */
	enum hs_protocol_needs needs;
	/* It finds the next message of one side alone, without the other (frames with stream numbers). */
	bool resumes_by_side;
	/*
	 * Are these the first bytes that `from` sends on a new connection of this protocol? They
	 * have to be told from every other protocol: say YES only when it is certain enough.
	 */
	enum hs_match (*match)(enum hs_side from, const uint8_t *bytes, size_t length);
	/*
	 * May a message of `from` begin with these bytes? For a connection that is older than the
	 * agent, and to find the place again after a loss. NULL: as match.
	 */
	enum hs_match (*boundary)(enum hs_side from, const uint8_t *bytes, size_t length);
	/*
	 * Take bytes. The number taken; the rest is given again, with what has come behind it. 0:
	 * more is needed (when HS_WINDOW bytes were given, the place is lost). -EBADMSG: this is not
	 * what the protocol says; the place is lost.
	 */
	ssize_t (*feed)(struct hs_conversation *c, enum hs_side from, const struct hs_slice *slice);
	/* What hs_conversation_skip() asked for has gone by; the last byte at last_ns. May be NULL. */
	void (*skipped)(struct hs_conversation *c, enum hs_side from, uint64_t last_ns);
	/*
	 * length bytes of `from`, the last at last_ns, have gone by unseen, and with them what feed()
	 * wanted to see again: of a long turn not all is recorded. True: the parser goes on behind them; else the place
	 * is lost. May be NULL.
	 */
	bool (*hidden)(struct hs_conversation *c, enum hs_side from, uint64_t length, uint64_t last_ns);
	/*
	 * With resumes_by_side: bytes of `from` are missing; forget what was half read. It comes at
	 * the loss, and once more before the place is found if more was missed. All other
	 * protocols lose their state and the calls that were under way, and begin anew.
	 */
	void (*lost)(struct hs_conversation *c, enum hs_side from);
	/* The connection closed; calls that are left over are reported by the conversation. May be NULL. */
	void (*end)(struct hs_conversation *c, uint64_t time_ns);
	/* Is the parser between messages, on both sides? NULL: nobody else can follow this protocol. */
	bool (*is_at_rest)(struct hs_conversation *c);
	/*
	 * Whoever follows it does so however many calls are under way, and knows them by their operation: can this one be
	 * told from all others by that, and does it leave the connection as it was? NULL: it follows one call
	 * at a time, by the route.
	 */
	bool (*is_plain)(const struct hs_call *call);
	/* With is_plain: another has followed it until now, and this call is under way, behind those that are. */
	void (*take_over)(struct hs_conversation *c, const struct hs_call *call);
	/* Free what state points to; not state itself. May be NULL. */
	void (*free)(void *state);
};

/* All of them (at most 16), in the order in which they are tried; NULL behind the last. */
extern const struct hs_protocol *const hs_protocols[];

/* ---- what a parser may ask of its conversation ---- */

void *hs_conversation_state(struct hs_conversation *c); /* state_size bytes */

/* Bytes before the first one it was given have been missed: the connection is older than the agent, or a loss. */
bool hs_conversation_is_late(const struct hs_conversation *c);

/*
 * The next length bytes of `from`, behind those that feed() takes now, need not be seen. feed() is
 * not called for that side before they have gone by. UINT64_MAX: all that is to come. HS_SKIP_TURN: what
 * it says until the other side has spoken, however much that is; skipped() is not called.
 */
#define HS_SKIP_TURN (UINT64_MAX - 1)
void hs_conversation_skip(struct hs_conversation *c, enum hs_side from, uint64_t length);

/*
 * From the byte behind those that feed() takes now, both sides speak something else: this one, or
 * NULL for what they show to be (HTTP CONNECT, STARTTLS).
 */
void hs_conversation_switch(struct hs_conversation *c, const struct hs_protocol *protocol);
/*
 * … this one, to which the calls go that are under way: an upgrade in the midst of a call. They are
 * there when its feed() is called first.
 */
void hs_conversation_hand_over(struct hs_conversation *c, const struct hs_protocol *protocol);
/* … which nobody needs to look at any more. */
void hs_conversation_ignore(struct hs_conversation *c);

/* Something was seen that could not be read (a version, a message); counted by protocol. */
void hs_conversation_undecoded(struct hs_conversation *c);

/*
 * A request began. Its call is kept, in order, until hs_call_done(). Zeroed but for request_ns and
 * request_end_ns (both first_ns) and status (-1); texts are "", and behind their end may be anything. NULL
 * when too many are under way: counted, and the parser goes on without it. hs_call_find() is fast, where
 * id is not 0.
 */
struct hs_call *hs_call_begin(struct hs_conversation *c, uint32_t id, uint64_t first_ns);
struct hs_call *hs_call_oldest(struct hs_conversation *c); /* or NULL */
struct hs_call *hs_call_newest(struct hs_conversation *c); /* or NULL */
struct hs_call *hs_call_find(struct hs_conversation *c, uint32_t id); /* or NULL */
/* It is over: reported as it stands, and gone. */
void hs_call_done(struct hs_conversation *c, struct hs_call *call);
/* It is under way, but its end was missed, or will be: gone without a report, and counted as lost. */
void hs_call_lose(struct hs_conversation *c, struct hs_call *call);
/* It was none, or nobody can tell how it went: gone without a report. */
void hs_call_forget(struct hs_conversation *c, struct hs_call *call);

/* text of any length and content to a field: cut, printable, ended by NUL. */
void hs_call_text(char *field, size_t size, const uint8_t *text, size_t length);

#endif
