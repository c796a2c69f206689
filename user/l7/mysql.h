/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the MySQL parser share. */
#ifndef HS_L7_MYSQL_H
#define HS_L7_MYSQL_H

#include "l7/protocol.h"
#include "l7/sql.h"
#include "l7/statements.h"

#define HS_MY_HEAD 4             /* of a packet: its length in three bytes, its number in a turn */
#define HS_MY_PACKET_MAX 0xffffffu /* such a one goes on in the next */

enum hs_my_command {
	HS_MY_QUIT = 0x01,
	HS_MY_INIT_DB = 0x02,
	HS_MY_QUERY = 0x03,
	HS_MY_FIELD_LIST = 0x04,
	HS_MY_CREATE_DB = 0x05,
	HS_MY_DROP_DB = 0x06,
	HS_MY_REFRESH = 0x07,
	HS_MY_SHUTDOWN = 0x08,
	HS_MY_STATISTICS = 0x09,
	HS_MY_PROCESS_INFO = 0x0a,
	HS_MY_PROCESS_KILL = 0x0c,
	HS_MY_DEBUG = 0x0d,
	HS_MY_PING = 0x0e,
	HS_MY_CHANGE_USER = 0x11,
	HS_MY_BINLOG_DUMP = 0x12,
	HS_MY_REGISTER_SLAVE = 0x15,
	HS_MY_PREPARE = 0x16,
	HS_MY_EXECUTE = 0x17,
	HS_MY_LONG_DATA = 0x18,
	HS_MY_CLOSE = 0x19,
	HS_MY_RESET = 0x1a,
	HS_MY_SET_OPTION = 0x1b,
	HS_MY_FETCH = 0x1c,
	HS_MY_BINLOG_DUMP_GTID = 0x1e,
	HS_MY_RESET_CONNECTION = 0x1f,
	HS_MY_BULK_EXECUTE = 0xfa, /* MariaDB */
};

#define HS_MY_CLIENT_OPTIONAL_METADATA (1 << 25) /* a capability: rows without their columns */

enum hs_my_phase {
	HS_MY_PHASE_NEW,
	HS_MY_PHASE_LOGIN,
	HS_MY_PHASE_COMMANDS,
};

enum hs_my_answer { /* what a command is answered with */
	HS_MY_ANSWER_UNKNOWN,
	HS_MY_ANSWER_NONE,
	HS_MY_ANSWER_ONE,    /* packet */
	HS_MY_ANSWER_RESULT, /* sets of rows, or one packet for each statement without */
	HS_MY_ANSWER_PREPARED,
	HS_MY_ANSWER_ROWS,   /* without their columns */
	HS_MY_ANSWER_LOGIN,  /* both talk on, until one packet says yes or no */
	HS_MY_ANSWER_STREAM, /* that never ends */
};

enum hs_my_state { /* of the answer under way */
	HS_MY_STATE_FIRST,
	HS_MY_STATE_COLUMNS,
	HS_MY_STATE_BEHIND_COLUMNS,
	HS_MY_STATE_ROWS,
	HS_MY_STATE_DEFINITIONS, /* of a prepared statement's parameters and columns */
};

struct hs_my {
	uint32_t offered;          /* capabilities of the server */
	uint32_t agreed;
	uint32_t left;             /* of the text of the client's command */
	uint32_t columns;          /* whose definitions are yet to come */
	uint8_t phase, state;
	uint8_t command;           /* whose text is being read */
	bool continues[HS_SIDES];  /* the next packet belongs to the last */
	bool sends_file;
	bool hidden[HS_SIDES];     /* in a part of a turn that was not recorded */
	uint16_t kept;             /* bytes of such a part of an answer that are given again, with what comes behind them */
	uint64_t hidden_ns;
	struct hs_statements statements;
	struct hs_sql sql;
};

struct hs_my_kind {
	const char *operation; /* "": as its text or its statement says */
	enum hs_my_answer answer;
};

extern const struct hs_my_kind hs_my_commands[256];

static inline uint32_t hs_my_le16(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8;
}

static inline uint32_t hs_my_le24(const uint8_t *bytes)
{
	return hs_my_le16(bytes) | (uint32_t)bytes[2] << 16;
}

static inline uint32_t hs_my_le32(const uint8_t *bytes)
{
	return hs_my_le24(bytes) | (uint32_t)bytes[3] << 24;
}

static inline uint32_t hs_my_least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Bytes of the client, as of hs_protocol.feed. */
ssize_t hs_my_feed_client(struct hs_conversation *c, struct hs_my *my, const struct hs_slice *slice);
/* … of the text of its command; none: no more of it will be seen. */
ssize_t hs_my_feed_text(struct hs_conversation *c, struct hs_my *my, const uint8_t *bytes, size_t length);
/* It was still asking then. */
void hs_my_touch(struct hs_conversation *c, uint64_t last_ns);
/* The server has said all that it had to say. How the hidden part ended nobody knows: most likely well. */
void hs_my_settle(struct hs_conversation *c, struct hs_my *my);

enum hs_match hs_my_match_mysql(enum hs_side from, const uint8_t *bytes, size_t length);
enum hs_match hs_my_match_mariadb(enum hs_side from, const uint8_t *bytes, size_t length);
enum hs_match hs_my_boundary(enum hs_side from, const uint8_t *bytes, size_t length);

#endif
