// SPDX-License-Identifier: GPL-2.0-or-later
/* Is it MySQL? A new connection begins with the server's greeting, an older one with a client's command. */
#include <string.h>

#include "l7/mysql.h"
#include "l7/sql.h"

#define VERSION_MAX 64

/* The server's version, as a text of that length; 0: it is no greeting; -1: it may become one. */
static int version_length(const uint8_t *bytes, size_t length)
{
	static const uint8_t head[] = { 0, 0, 0, 10 }; /* behind the first byte; 10 is the version of the protocol */
	size_t at = HS_MY_HEAD + 1;

	for (size_t i = 1; i < length && i < at; i++)
		if (bytes[i] != head[i - 1])
			return 0;
	while (at < length && at < VERSION_MAX && bytes[at] > ' ' && bytes[at] < 0x7f)
		at++;
	if (length > HS_MY_HEAD + 1 && (bytes[HS_MY_HEAD + 1] < '0' || bytes[HS_MY_HEAD + 1] > '9'))
		return 0;
	if (at >= length)
		return -1;
	return bytes[at] || bytes[0] < 40 ? 0 : (int)at - HS_MY_HEAD - 1;
}

static enum hs_match match_greeting(enum hs_side from, const uint8_t *bytes, size_t length, bool mariadb)
{
	int version = from == HS_SERVER ? version_length(bytes, length) : 0;

	if (version <= 0)
		return version ? HS_MATCH_MORE : HS_MATCH_NO;
	return !!memmem(bytes + HS_MY_HEAD + 1, version, "MariaDB", 7) == mariadb ? HS_MATCH_YES : HS_MATCH_NO;
}

enum hs_match hs_my_match_mysql(enum hs_side from, const uint8_t *bytes, size_t length)
{
	return match_greeting(from, bytes, length, false);
}

enum hs_match hs_my_match_mariadb(enum hs_side from, const uint8_t *bytes, size_t length)
{
	return match_greeting(from, bytes, length, true);
}

static bool is_statement(const uint8_t *text, size_t length)
{
	if (length > 2 && !text[0] && text[1] == 1) { /* query attributes: none, and one set of them */
		text += 2;
		length -= 2;
	}
	return hs_sql_is_statement(HS_SQL_MYSQL, text, length);
}

static bool is_name(const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] <= ' ' || text[i] == 0x7f)
			return false;
	return length && length <= 256;
}

/* The whole packet has that length; so much of it is there, its command first. */
static bool is_command(const uint8_t *packet, size_t length, uint32_t whole)
{
	switch (packet[0]) {
	case HS_MY_QUERY:
	case HS_MY_PREPARE:
		return is_statement(packet + 1, length - 1);
	case HS_MY_EXECUTE: /* number, flags, and always one iteration */
		return length >= 10 && packet[5] <= 15 && hs_my_le32(packet + 6) == 1;
	case HS_MY_CLOSE:
	case HS_MY_RESET:
		return whole == 5;
	case HS_MY_INIT_DB:
		return length == whole && is_name(packet + 1, length - 1);
	case HS_MY_QUIT:
	case HS_MY_PING:
	case HS_MY_RESET_CONNECTION:
		return whole == 1;
	default:
		return false;
	}
}

enum hs_match hs_my_boundary(enum hs_side from, const uint8_t *bytes, size_t length)
{
	uint32_t whole;
	size_t there;

	if (from != HS_CLIENT || (length >= HS_MY_HEAD && bytes[3]))
		return HS_MATCH_NO;
	if (length <= HS_MY_HEAD)
		return HS_MATCH_MORE;
	whole = hs_my_le24(bytes);
	there = length - HS_MY_HEAD;
	if (!whole || (there > whole && bytes[HS_MY_HEAD] != HS_MY_CLOSE))
		return HS_MATCH_NO; /* a client waits for the answer before it says more */
	return is_command(bytes + HS_MY_HEAD, there < whole ? there : whole, whole) ? HS_MATCH_YES : HS_MATCH_NO;
}
