// SPDX-License-Identifier: GPL-2.0-or-later
/* What a client of PostgreSQL asks: calls begin. */
#include <errno.h>
#include <string.h>

#include "l7/postgresql.h"

#define HASH_BASIS 14695981039346656037ull /* FNV-1a, also of an empty name */
#define HASH_PRIME 1099511628211ull

static struct hs_call *begin_call(struct hs_conversation *c, struct hs_pg *pg, uint64_t first_ns)
{
	struct hs_call *call = hs_call_begin(c, 0, first_ns);

	if (call)
		call->parser[0] = pg->asked;
	return call;
}

static void set_statement(struct hs_call *call, const struct hs_sql *sql)
{
	memcpy(call->operation, sql->operation, sizeof(call->operation));
	hs_call_text(call->target, sizeof(call->target), (const uint8_t *)sql->target, strlen(sql->target));
}

/* Parse and Bind begin what an Execute ends. */
static int begin_asking(struct hs_conversation *c, struct hs_pg *pg, uint8_t type, uint64_t first_ns)
{
	if (pg->asking && type == 'P' && pg->asking->parser[1] & HS_PG_PARSED)
		hs_pg_forget(c, pg, pg->asking); /* that one was only prepared */
	if (!pg->asking)
		pg->asking = begin_call(c, pg, first_ns);
	if (!pg->asking)
		return -EBADMSG; /* without it, answers would go to the wrong calls */
	pg->asking->parser[1] |= type == 'P' ? HS_PG_PARSED : 0;
	return 0;
}

static int begin_query(struct hs_conversation *c, struct hs_pg *pg, uint32_t length, uint64_t first_ns)
{
	struct hs_call *call = begin_call(c, pg, first_ns);

	if (!call)
		return -EBADMSG;
	call->parser[1] = HS_PG_EXECUTED | HS_PG_SIMPLE;
	call->request_bytes = length;
	pg->asking = NULL;
	pg->asked++;
	return 0;
}

static int begin_message(struct hs_conversation *c, struct hs_pg *pg, uint8_t type, uint32_t length,
			 uint64_t first_ns)
{
	int error = 0;

	pg->name[0] = pg->name[1] = HASH_BASIS;
	if (hs_pg_is(type, "QF"))
		return begin_query(c, pg, length, first_ns);
	if (hs_pg_is(type, "PBE"))
		error = begin_asking(c, pg, type, first_ns);
	if (!error && pg->asking && hs_pg_is(type, "PBED"))
		pg->asking->request_bytes += length;
	if (hs_pg_is(type, "dcf") && hs_pg_answering(c, pg))
		hs_pg_answering(c, pg)->request_bytes += length;
	return error;
}

static void end_bind(struct hs_pg *pg)
{
	hs_statements_get(&pg->statements, pg->name[1], pg->asking);
	pg->asking->parser[1] |= HS_PG_BOUND;
	pg->bound = pg->name[0];
	if (pg->bound == HASH_BASIS)
		pg->unnamed = pg->name[1];
	else
		hs_statements_copy(&pg->portals, pg->bound, &pg->statements, pg->name[1]);
}

static void end_execute(struct hs_pg *pg)
{
	struct hs_call *call = pg->asking;

	if (!(call->parser[1] & HS_PG_BOUND && pg->bound == pg->name[0])) { /* more rows of a portal */
		if (pg->name[0] == HASH_BASIS)
			hs_statements_get(&pg->statements, pg->unnamed, call);
		else
			hs_statements_get(&pg->portals, pg->name[0], call);
	}
	call->parser[1] |= HS_PG_EXECUTED;
	pg->asking = NULL;
}

static void end_parse(struct hs_pg *pg)
{
	char target[HS_TARGET_LEN];

	hs_sql_end(&pg->sql);
	hs_call_text(target, sizeof(target), (const uint8_t *)pg->sql.target, strlen(pg->sql.target));
	hs_statements_put(&pg->statements, pg->name[0], pg->sql.operation, target);
	if (pg->asking)
		set_statement(pg->asking, &pg->sql);
}

static void end_query(struct hs_conversation *c, struct hs_pg *pg)
{
	struct hs_call *call = hs_call_newest(c);

	hs_sql_end(&pg->sql);
	if (call && call->parser[1] & HS_PG_SIMPLE)
		set_statement(call, &pg->sql);
}

/* All of the message that matters has been read. */
static void end_message(struct hs_conversation *c, struct hs_pg *pg, uint8_t type)
{
	if (type == 'Q')
		end_query(c, pg);
	else if (type == 'P')
		end_parse(pg);
	else if (type == 'B' && pg->asking)
		end_bind(pg);
	else if (type == 'E' && pg->asking)
		end_execute(pg);
	else if (type == 'C')
		hs_statements_remove(pg->name[1] ? &pg->statements : &pg->portals, pg->name[0]);
}

/* Names and texts end with NUL. How much of bytes belongs to this one, its NUL included. */
static size_t text_length(struct hs_pg_flow *flow, const uint8_t *bytes, size_t length)
{
	const uint8_t *end = memchr(bytes, '\0', length);

	flow->field += !!end;
	return end ? (size_t)(end - bytes) + 1 : length;
}

static size_t feed_name(struct hs_pg *pg, struct hs_pg_flow *flow, const uint8_t *bytes, size_t length)
{
	uint64_t *name = &pg->name[flow->type == 'C' ? 0 : flow->field];
	size_t taken = text_length(flow, bytes, length);

	for (size_t i = 0; i < taken && bytes[i]; i++)
		*name = (*name ^ bytes[i]) * HASH_PRIME;
	return taken;
}

static size_t feed_sql(struct hs_pg *pg, struct hs_pg_flow *flow, const uint8_t *bytes, size_t length)
{
	uint8_t field = flow->field;
	size_t taken = text_length(flow, bytes, length);

	hs_sql_feed(&pg->sql, bytes, taken - (flow->field != field));
	if (pg->sql.done)
		flow->field = field + 1;
	return taken;
}

/* Close: of what kind comes before the name. */
static size_t feed_kind(struct hs_pg *pg, struct hs_pg_flow *flow, const uint8_t *bytes)
{
	pg->name[1] = bytes[0] == 'S';
	flow->field++;
	return 1;
}

/* Of which kind each field is, for those that are read: a name, a text, a byte. */
static const char *fields_of(uint8_t type)
{
	switch (type) {
	case 'Q':
		return "t";
	case 'P':
		return "nt";
	case 'B':
		return "nn";
	case 'E':
		return "n";
	case 'C':
		return "kn";
	default:
		return "";
	}
}

/* Read the fields that matter; the number of bytes they took. */
static size_t feed_fields(struct hs_pg *pg, struct hs_pg_flow *flow, const uint8_t *bytes, size_t length)
{
	const char *fields = fields_of(flow->type);
	size_t at = 0;

	while (at < length && fields[flow->field]) {
		if (fields[flow->field] == 't')
			at += feed_sql(pg, flow, bytes + at, length - at);
		else if (fields[flow->field] == 'n')
			at += feed_name(pg, flow, bytes + at, length - at);
		else
			at += feed_kind(pg, flow, bytes + at);
	}
	return at;
}

static size_t feed_body(struct hs_conversation *c, struct hs_pg *pg, const uint8_t *bytes, size_t length)
{
	struct hs_pg_flow *flow = &pg->flow[HS_CLIENT];
	size_t taken = feed_fields(pg, flow, bytes, length < flow->left ? length : flow->left);

	flow->left -= taken;
	if (!flow->left || !fields_of(flow->type)[flow->field]) {
		if (flow->left)
			hs_conversation_skip(c, HS_CLIENT, flow->left);
		flow->left = 0;
		end_message(c, pg, flow->type);
	}
	return taken;
}

void hs_pg_touch(struct hs_conversation *c, struct hs_pg *pg, uint8_t type, uint64_t last_ns)
{
	struct hs_call *call = hs_pg_is(type, "dcf") ? hs_pg_answering(c, pg) : hs_pg_is(type, "QFPBE") ? hs_call_newest(c) : NULL;

	if (call)
		call->request_end_ns = last_ns;
}

static ssize_t feed_message(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice)
{
	struct hs_pg_flow *flow = &pg->flow[HS_CLIENT];
	uint8_t type = slice->bytes[0];
	uint32_t length;

	if (!hs_pg_is(type, "QPBEDCHSFdcfXp"))
		return -EBADMSG;
	if (slice->length < HS_PG_HEAD)
		return 0;
	length = hs_pg_be32(slice->bytes + 1);
	if (length < 4 || length > HS_PG_MESSAGE_MAX || (type == 'S' && length != 4))
		return -EBADMSG;
	if (begin_message(c, pg, type, length + 1, slice->first_ns))
		return -EBADMSG;
	*flow = (struct hs_pg_flow){ .type = type, .left = length - 4 };
	if (hs_pg_is(type, "QP"))
		hs_sql_begin(&pg->sql, HS_SQL_POSTGRESQL);
	if (type == 'F')
		strcpy(hs_call_newest(c)->operation, "CALL");
	if (type == 'S') {
		pg->asked++;
		pg->asking = NULL;
	}
	hs_pg_touch(c, pg, type, slice->last_ns);
	if (!flow->left || !*fields_of(type))
		feed_body(c, pg, slice->bytes + HS_PG_HEAD, 0);
	return HS_PG_HEAD;
}

/* Before the first message: the packet without a type. */
static ssize_t feed_startup(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice)
{
	uint32_t length, code;

	if (slice->length < 8)
		return 0;
	length = hs_pg_be32(slice->bytes);
	code = hs_pg_be32(slice->bytes + 4);
	if (length < 8 || length > HS_PG_STARTUP_MAX)
		return -EBADMSG;
	if (code == HS_PG_SSL_REQUEST || code == HS_PG_GSS_REQUEST) {
		pg->asks_encryption = true;
	} else if (code == HS_PG_CANCEL_REQUEST) {
		hs_conversation_ignore(c);
	} else if (code >> 16 == 3) {
		pg->started = true;
	} else {
		hs_conversation_undecoded(c);
		hs_conversation_ignore(c);
	}
	if (length > 8)
		hs_conversation_skip(c, HS_CLIENT, length - 8);
	return 8;
}

ssize_t hs_pg_feed_client(struct hs_conversation *c, struct hs_pg *pg, const struct hs_slice *slice)
{
	ssize_t taken;

	if (pg->flow[HS_CLIENT].left) {
		hs_pg_touch(c, pg, pg->flow[HS_CLIENT].type, slice->last_ns);
		return feed_body(c, pg, slice->bytes, slice->length);
	}
	if (!pg->started && !slice->bytes[0])
		return feed_startup(c, pg, slice);
	taken = feed_message(c, pg, slice);
	pg->started |= taken > 0;
	return taken;
}

void hs_pg_cut_message(struct hs_conversation *c, struct hs_pg *pg, uint64_t length, uint64_t last_ns)
{
	struct hs_pg_flow *flow = &pg->flow[HS_CLIENT];

	flow->left -= length;
	flow->field = strlen(fields_of(flow->type));
	hs_pg_touch(c, pg, flow->type, last_ns);
	feed_body(c, pg, NULL, 0);
}
