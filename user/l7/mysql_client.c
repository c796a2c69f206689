// SPDX-License-Identifier: GPL-2.0-or-later
/* What a client of MySQL asks: calls begin. */
#include <errno.h>
#include <string.h>

#include "l7/mysql.h"

#define NAME_BYTES_MAX 512
#define LAST_PREPARED 0xffffffffu /* MariaDB: the statement that was prepared last, before its number is known */

enum {
	CLIENT_COMPRESS = 1 << 5,
	CLIENT_SSL = 1 << 11,
	CLIENT_ZSTD = 1 << 26,
	CLIENT_QUERY_ATTRIBUTES = 1 << 27,
};

const struct hs_my_kind hs_my_commands[256] = {
	[HS_MY_QUIT] = { "", HS_MY_ANSWER_NONE }, [HS_MY_INIT_DB] = { "USE", HS_MY_ANSWER_ONE },
	[HS_MY_QUERY] = { "", HS_MY_ANSWER_RESULT }, [HS_MY_FIELD_LIST] = { "FIELD_LIST", HS_MY_ANSWER_ROWS },
	[HS_MY_CREATE_DB] = { "CREATE DATABASE", HS_MY_ANSWER_ONE }, [HS_MY_DROP_DB] = { "DROP DATABASE", HS_MY_ANSWER_ONE },
	[HS_MY_REFRESH] = { "FLUSH", HS_MY_ANSWER_ONE }, [HS_MY_SHUTDOWN] = { "SHUTDOWN", HS_MY_ANSWER_ONE },
	[HS_MY_STATISTICS] = { "STATISTICS", HS_MY_ANSWER_ONE }, [HS_MY_PROCESS_INFO] = { "SHOW", HS_MY_ANSWER_RESULT },
	[HS_MY_PROCESS_KILL] = { "KILL", HS_MY_ANSWER_ONE }, [HS_MY_DEBUG] = { "DEBUG", HS_MY_ANSWER_ONE },
	[HS_MY_PING] = { "PING", HS_MY_ANSWER_ONE }, [HS_MY_CHANGE_USER] = { "CHANGE_USER", HS_MY_ANSWER_LOGIN },
	[HS_MY_BINLOG_DUMP] = { "BINLOG_DUMP", HS_MY_ANSWER_STREAM }, [HS_MY_REGISTER_SLAVE] = { "REGISTER_SLAVE", HS_MY_ANSWER_ONE },
	[HS_MY_PREPARE] = { "", HS_MY_ANSWER_PREPARED }, [HS_MY_EXECUTE] = { "", HS_MY_ANSWER_RESULT },
	[HS_MY_LONG_DATA] = { "", HS_MY_ANSWER_NONE }, [HS_MY_CLOSE] = { "", HS_MY_ANSWER_NONE },
	[HS_MY_RESET] = { "STMT_RESET", HS_MY_ANSWER_ONE }, [HS_MY_SET_OPTION] = { "SET_OPTION", HS_MY_ANSWER_ONE },
	[HS_MY_FETCH] = { "", HS_MY_ANSWER_ROWS }, [HS_MY_BINLOG_DUMP_GTID] = { "BINLOG_DUMP", HS_MY_ANSWER_STREAM },
	[HS_MY_RESET_CONNECTION] = { "RESET_CONNECTION", HS_MY_ANSWER_ONE }, [HS_MY_BULK_EXECUTE] = { "", HS_MY_ANSWER_RESULT },
};

void hs_my_touch(struct hs_conversation *c, uint64_t last_ns)
{
	if (hs_call_newest(c))
		hs_call_newest(c)->request_end_ns = last_ns;
}

static void end_text(struct hs_conversation *c, struct hs_my *my)
{
	struct hs_call *call = hs_call_newest(c);

	hs_sql_end(&my->sql);
	if (!call || call->parser[0] != my->command)
		return;
	memcpy(call->operation, my->sql.operation, sizeof(call->operation));
	hs_call_text(call->target, sizeof(call->target), (const uint8_t *)my->sql.target, strlen(my->sql.target));
	if (my->command == HS_MY_PREPARE)
		hs_statements_put(&my->statements, LAST_PREPARED, call->operation, call->target);
}

ssize_t hs_my_feed_text(struct hs_conversation *c, struct hs_my *my, const uint8_t *bytes, size_t length)
{
	size_t taken = hs_my_least(length, my->left);

	hs_sql_feed(&my->sql, bytes, taken);
	my->left -= taken;
	if (!my->left || my->sql.done) {
		if (my->left)
			hs_conversation_skip(c, HS_CLIENT, my->left);
		my->left = 0;
		end_text(c, my);
	}
	return taken;
}

static void begin_text(struct hs_conversation *c, struct hs_my *my, uint8_t command, uint32_t length)
{
	my->command = command;
	my->left = length;
	hs_sql_begin(&my->sql, HS_SQL_MYSQL);
	if (!length)
		end_text(c, my);
}

/* The command's text begins behind its attributes, if it may have such. How long they are; -1: nobody can tell. */
static int attributes_length(const struct hs_my *my, const uint8_t *text, size_t length)
{
	if (length >= 2 && !text[0] && text[1] == 1)
		return 2;
	return my->agreed & CLIENT_QUERY_ATTRIBUTES ? -1 : 0;
}

static ssize_t feed_query(struct hs_conversation *c, struct hs_my *my, const struct hs_slice *slice, uint32_t length)
{
	int attributes = 0;

	if (slice->bytes[HS_MY_HEAD] == HS_MY_QUERY)
		attributes = attributes_length(my, slice->bytes + HS_MY_HEAD + 1, hs_my_least(length, 3) - 1);
	if (attributes < 0) {
		hs_conversation_undecoded(c);
		hs_conversation_skip(c, HS_CLIENT, length - 1);
		return HS_MY_HEAD + 1;
	}
	begin_text(c, my, slice->bytes[HS_MY_HEAD], length - 1 - attributes);
	return HS_MY_HEAD + 1 + attributes;
}

/* Behind the command a statement is named by its number. */
static void take_statement(struct hs_conversation *c, struct hs_my *my, uint8_t command, const uint8_t *number)
{
	struct hs_call *call = hs_call_newest(c);
	uint32_t id = hs_my_le32(number);

	if (command == HS_MY_CLOSE) {
		hs_statements_remove(&my->statements, id);
		return;
	}
	if (command != HS_MY_EXECUTE && command != HS_MY_FETCH && command != HS_MY_BULK_EXECUTE)
		return;
	hs_statements_get(&my->statements, id, call);
	if (command == HS_MY_FETCH)
		strcpy(call->operation, "FETCH");
}

/* How many bytes of the packet have to be there. */
static uint32_t wanted_of(uint8_t command, uint32_t length)
{
	switch (command) {
	case HS_MY_QUERY:
		return hs_my_least(length, 3);
	case HS_MY_EXECUTE:
	case HS_MY_FETCH:
	case HS_MY_CLOSE:
	case HS_MY_BULK_EXECUTE:
		return 5;
	case HS_MY_FIELD_LIST:
		return length;
	default:
		return 1;
	}
}

static int begin_call(struct hs_conversation *c, uint8_t command, const struct hs_slice *slice, uint32_t length)
{
	struct hs_call *call;

	if (hs_my_commands[command].answer == HS_MY_ANSWER_NONE)
		return 0;
	call = hs_call_begin(c, 0, slice->first_ns);
	if (!call)
		return -EBADMSG; /* without it, answers would go to the wrong calls */
	call->parser[0] = command;
	call->request_bytes = HS_MY_HEAD + length;
	call->request_end_ns = slice->last_ns;
	strcpy(call->operation, hs_my_commands[command].operation);
	return 0;
}

static ssize_t feed_command(struct hs_conversation *c, struct hs_my *my, const struct hs_slice *slice, uint32_t length)
{
	const uint8_t *packet = slice->bytes + HS_MY_HEAD;
	uint8_t command = slice->length > HS_MY_HEAD ? *packet : HS_MY_QUIT;
	uint32_t wanted = wanted_of(command, length);

	if (hs_my_commands[command].answer == HS_MY_ANSWER_UNKNOWN || wanted > length || wanted > NAME_BYTES_MAX)
		return -EBADMSG;
	if (slice->length < HS_MY_HEAD + wanted)
		return 0;
	if (my->hidden[HS_SERVER]) {
		hs_conversation_undecoded(c);
		hs_my_settle(c, my);
	}
	if (begin_call(c, command, slice, length))
		return -EBADMSG;
	my->continues[HS_CLIENT] = length == HS_MY_PACKET_MAX;
	if (command == HS_MY_QUERY || command == HS_MY_PREPARE)
		return feed_query(c, my, slice, length);
	if (wanted == 5)
		take_statement(c, my, command, packet + 1);
	if (command == HS_MY_FIELD_LIST)
		hs_call_text(hs_call_newest(c)->target, HS_TARGET_LEN, packet + 1, strnlen((const char *)packet + 1, length - 1));
	if (length > wanted)
		hs_conversation_skip(c, HS_CLIENT, length - wanted);
	return HS_MY_HEAD + wanted;
}

/* The client's answer to the greeting, or its wish to go on with TLS. */
static ssize_t feed_login(struct hs_conversation *c, struct hs_my *my, const struct hs_slice *slice, uint32_t length)
{
	uint32_t capabilities;

	if (my->agreed || length < 4) { /* what may follow proves who he is */
		if (length)
			hs_conversation_skip(c, HS_CLIENT, length);
		return HS_MY_HEAD;
	}
	if (slice->length < HS_MY_HEAD + 4)
		return 0;
	capabilities = hs_my_le32(slice->bytes + HS_MY_HEAD) & my->offered;
	if (length == 32 && capabilities & CLIENT_SSL) {
		if (slice->length < HS_MY_HEAD + 32)
			return 0;
		hs_conversation_switch(c, NULL);
		return HS_MY_HEAD + 32;
	}
	my->agreed = capabilities | 1;
	if (capabilities & (CLIENT_COMPRESS | CLIENT_ZSTD)) {
		hs_conversation_undecoded(c);
		hs_conversation_ignore(c);
	}
	hs_conversation_skip(c, HS_CLIENT, length - 4);
	return HS_MY_HEAD + 4;
}

/* More of a packet, of a file, of a login: nothing that needs to be seen. */
static ssize_t pass(struct hs_conversation *c, struct hs_my *my, uint32_t length, uint64_t last_ns)
{
	my->continues[HS_CLIENT] = length == HS_MY_PACKET_MAX;
	if (my->sends_file && !length)
		my->sends_file = false;
	if (hs_call_newest(c))
		hs_call_newest(c)->request_bytes += HS_MY_HEAD + length;
	hs_my_touch(c, last_ns);
	if (length)
		hs_conversation_skip(c, HS_CLIENT, length);
	return HS_MY_HEAD;
}

ssize_t hs_my_feed_client(struct hs_conversation *c, struct hs_my *my, const struct hs_slice *slice)
{
	const struct hs_call *call = hs_call_oldest(c);
	uint32_t length;

	if (my->left) {
		hs_my_touch(c, slice->last_ns);
		return hs_my_feed_text(c, my, slice->bytes, slice->length);
	}
	if (slice->length < HS_MY_HEAD)
		return 0;
	length = hs_my_le24(slice->bytes);
	if (my->phase == HS_MY_PHASE_LOGIN)
		return feed_login(c, my, slice, length);
	if (my->continues[HS_CLIENT] || my->sends_file ||
	    (call && slice->bytes[3] && hs_my_commands[call->parser[0]].answer == HS_MY_ANSWER_LOGIN))
		return pass(c, my, length, slice->last_ns);
	if (slice->bytes[3] || !length)
		return -EBADMSG;
	my->phase = HS_MY_PHASE_COMMANDS;
	return feed_command(c, my, slice, length);
}
