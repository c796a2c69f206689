/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the PostgreSQL parser share. */
#ifndef HS_L7_POSTGRESQL_H
#define HS_L7_POSTGRESQL_H

#include <string.h>

#include "l7/protocol.h"
#include "l7/sql.h"
#include "l7/statements.h"

#define HS_PG_HEAD 5                /* of a message: type and length */
#define HS_PG_MESSAGE_MAX (1u << 30)
#define HS_PG_STARTUP_MAX 10000     /* MAX_STARTUP_PACKET_LENGTH */
#define HS_PG_SSL_REQUEST 80877103u
#define HS_PG_GSS_REQUEST 80877104u
#define HS_PG_CANCEL_REQUEST 80877102u

/* What a call has of what it is asked with, in parser[1]; parser[0] is its batch. */
enum {
	HS_PG_PARSED = 1,
	HS_PG_BOUND = 2,
	HS_PG_EXECUTED = 4,
	HS_PG_SIMPLE = 8, /* a Query: it ends with its batch */
};

struct hs_pg_flow {
	uint32_t left; /* bytes of the client's message under way */
	uint8_t type;
	uint8_t field;
	bool hidden;   /* in a part of a turn that was not recorded */
	uint16_t kept; /* bytes of such a part that are given again, with what comes behind them */
};

struct hs_pg {
	struct hs_pg_flow flow[HS_SIDES];
	bool started;             /* behind the startup packet */
	bool asks_encryption;     /* the answer is one byte */
	bool copies_in;
	bool server_spoke;        /* since the client's bytes are hidden */
	uint64_t hidden_ns;       /* the last byte of the hidden part of an answer */
	uint64_t name[2];         /* hashes of those in the message under way */
	uint64_t bound, unnamed;  /* the portal of the last Bind; the statement of the unnamed portal */
	uint32_t asked, answered; /* batches that have ended */
	struct hs_call *asking;   /* it has no Execute yet */
	struct hs_statements statements, portals;
	struct hs_sql sql;
};

static inline uint32_t hs_pg_be32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

/* Is the type of a message one of these? */
static inline bool hs_pg_is(uint8_t type, const char *types)
{
	return type && strchr(types, type);
}

/* The call that is answered now; NULL: the server speaks of something else. */
struct hs_call *hs_pg_answering(struct hs_conversation *c, const struct hs_pg *pg);
void hs_pg_forget(struct hs_conversation *c, struct hs_pg *pg, struct hs_call *call);

/* Bytes of the client, as of hs_protocol.feed. */
ssize_t hs_pg_feed_client(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice);
/* A part of the client's message under way, no longer than that, has gone by unseen. */
void hs_pg_cut_message(struct hs_conversation *c, struct hs_pg *pg, uint64_t length, uint64_t last_ns);
/* The client was still asking then, with a message of that type. */
void hs_pg_touch(struct hs_conversation *c, struct hs_pg *pg, uint8_t type, uint64_t last_ns);

/* May messages of a client begin like this? */
enum hs_match hs_pg_match_message(const uint8_t *bytes, size_t length);
enum hs_match hs_pg_match(enum hs_side from, const uint8_t *bytes, size_t length);
enum hs_match hs_pg_boundary(enum hs_side from, const uint8_t *bytes, size_t length);

#endif
