// SPDX-License-Identifier: GPL-2.0-or-later
/* Is it PostgreSQL? Only clients are asked: they speak first, and begin every batch. */
#include "l7/postgresql.h"

static enum hs_match match_startup(const uint8_t *bytes, size_t length)
{
	uint32_t whole, code;

	for (size_t i = 0; i < length && i < 2; i++)
		if (bytes[i])
			return HS_MATCH_NO;
	if (length < 8)
		return HS_MATCH_MORE;
	whole = hs_pg_be32(bytes);
	code = hs_pg_be32(bytes + 4);
	if (code == HS_PG_SSL_REQUEST || code == HS_PG_GSS_REQUEST)
		return whole == 8 ? HS_MATCH_YES : HS_MATCH_NO;
	if (code == HS_PG_CANCEL_REQUEST)
		return whole >= 16 && whole <= 268 ? HS_MATCH_YES : HS_MATCH_NO;
	if (code >> 16 != 3 || whole < 10 || whole > HS_PG_STARTUP_MAX)
		return HS_MATCH_NO;
	if (length == 8)
		return HS_MATCH_MORE;
	return (bytes[8] >= 'a' && bytes[8] <= 'z') || bytes[8] == '_' ? HS_MATCH_YES : HS_MATCH_NO; /* Kafka: a number */
}

/* The length of a name and its NUL; 0: it is none. */
static size_t name_length(const uint8_t *bytes, size_t length)
{
	size_t at = 0;

	while (at < length && at < 64 && bytes[at] > ' ' && bytes[at] < 0x7f)
		at++;
	return at < length && !bytes[at] ? at + 1 : 0;
}

static bool is_statement(const uint8_t *text, size_t length)
{
	return hs_sql_is_statement(HS_SQL_POSTGRESQL, text, length);
}

static bool is_bind(const uint8_t *body, size_t length, uint32_t whole)
{
	size_t portal = name_length(body, length), names = portal + name_length(body + portal, length - portal);

	return portal && names > portal && names + 2 <= length &&
	       whole >= names + 6 + 2 * (body[names] << 8 | body[names + 1]); /* each parameter's format */
}

static bool is_body(uint8_t type, const uint8_t *body, size_t length, uint32_t whole)
{
	size_t name = name_length(body, length);

	switch (type) {
	case 'Q':
		return is_statement(body, length) && (length < whole || !body[whole - 1]);
	case 'P':
		return name && is_statement(body + name, length - name);
	case 'B':
		return is_bind(body, length, whole);
	case 'E':
		return name && whole == name + 4;
	case 'D':
	case 'C':
		return length > 1 && (body[0] == 'S' || body[0] == 'P') && whole == 1 + name_length(body + 1, length - 1);
	default:
		return hs_pg_is(type, "SHcX") && !whole;
	}
}

enum hs_match hs_pg_match_message(const uint8_t *bytes, size_t length)
{
	uint32_t whole;
	size_t there;

	if (!hs_pg_is(bytes[0], "QPBEDCSHcX") || (length > 1 && bytes[1]))
		return HS_MATCH_NO;
	if (length < HS_PG_HEAD)
		return HS_MATCH_MORE;
	whole = hs_pg_be32(bytes + 1) - 4;
	there = length - HS_PG_HEAD < whole ? length - HS_PG_HEAD : whole;
	if (whole > HS_PG_MESSAGE_MAX || !is_body(bytes[0], bytes + HS_PG_HEAD, there, whole))
		return HS_MATCH_NO;
	if (length > HS_PG_HEAD + there && !hs_pg_is(bytes[HS_PG_HEAD + there], "QPBEDCSHFdcfX"))
		return HS_MATCH_NO;
	return HS_MATCH_YES;
}

enum hs_match hs_pg_match(enum hs_side from, const uint8_t *bytes, size_t length)
{
	return from == HS_CLIENT ? match_startup(bytes, length) : HS_MATCH_NO;
}

enum hs_match hs_pg_boundary(enum hs_side from, const uint8_t *bytes, size_t length)
{
	if (from != HS_CLIENT)
		return HS_MATCH_NO;
	return bytes[0] ? hs_pg_match_message(bytes, length) : match_startup(bytes, length);
}
