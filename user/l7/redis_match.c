// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/redis_match.h"

#include <string.h>

#include "l7/redis_commands.h"
#include "l7/resp.h"

#define INLINE_WORD_MAX 64    /* a longer one is none */
#define INLINE_GUESS_MAX 4096 /* so much is kept until an answer tells */

static bool is_name(const uint8_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		uint8_t letter = text[i] | 0x20;

		if (!(letter >= 'a' && letter <= 'z') && !(text[i] >= '0' && text[i] <= '9') && !strchr("._-", text[i]))
			return false;
	}
	return length;
}

/* A list of strings, the first of which may be a command. */
static enum hs_match match_request(const uint8_t *bytes, size_t length)
{
	const uint8_t *at = bytes + 1, *end = bytes + length;
	int64_t number;
	int got;

	if (*bytes != '*')
		return HS_MATCH_NO;
	got = hs_resp_number(&at, end, &number);
	if (got <= 0)
		return got ? HS_MATCH_NO : HS_MATCH_MORE;
	if (number < 1 || number > HS_REDIS_ARGS_MAX || (at < end && *at != '$'))
		return HS_MATCH_NO;
	if (at++ == end)
		return HS_MATCH_MORE;
	got = hs_resp_number(&at, end, &number);
	if (got <= 0)
		return got ? HS_MATCH_NO : HS_MATCH_MORE;
	if (number < 1 || number > HS_RESP_TEXT_MAX)
		return HS_MATCH_NO;
	if (at < end && !is_name(at, end - at < number ? end - at : number))
		return HS_MATCH_NO;
	if (end - at <= number)
		return HS_MATCH_MORE;
	return at[number] == '\r' ? HS_MATCH_YES : HS_MATCH_NO;
}

/* A word alone may be of many protocols: only the answer tells. */
static enum hs_match match_inline(const uint8_t *bytes, size_t length)
{
	const uint8_t *end = memchr(bytes, '\n', length);
	size_t word = 0;

	while (word < length && bytes[word] > ' ')
		word++;
	if (!is_name(bytes, word))
		return HS_MATCH_NO;
	if (word > INLINE_WORD_MAX || length > INLINE_GUESS_MAX)
		return HS_MATCH_NO;
	return end && hs_redis_command(bytes, word)->name[0] == '_' ? HS_MATCH_NO : HS_MATCH_MORE;
}

static enum hs_match match_answer(const uint8_t *bytes, size_t length)
{
	static const char *const certain[] = {
		"+PONG\r\n", "+QUEUED\r\n", "-NOAUTH ", "-WRONGPASS ", "-WRONGTYPE ", "-NOPERM ", "-DENIED Redis",
		"-LOADING ", "-MISCONF ", "-ERR unknown command", "-ERR wrong number of arguments for",
		"-ERR max number of clients", "$-1\r\n", "*-1\r\n", "_\r\n",
	};
	const uint8_t *at = bytes + 1;
	enum hs_match match = HS_MATCH_NO;
	int64_t number;
	int got;

	for (size_t i = 0; i < sizeof(certain) / sizeof(*certain); i++) {
		size_t size = strlen(certain[i]);

		if (memcmp(bytes, certain[i], length < size ? length : size))
			continue;
		if (length >= size)
			return HS_MATCH_YES;
		match = HS_MATCH_MORE;
	}
	if (!memcmp(bytes, "+OK\r\n", length < 5 ? length : 5)) /* as others say it too */
		match = HS_MATCH_MORE;
	if (*bytes != '$' && *bytes != ':')
		return match;
	got = hs_resp_number(&at, bytes + length, &number);
	return got > 0 ? HS_MATCH_YES : got ? match : HS_MATCH_MORE;
}

enum hs_match hs_redis_match(enum hs_side from, const uint8_t *bytes, size_t length)
{
	if (from == HS_SERVER)
		return match_answer(bytes, length);
	return *bytes == '*' ? match_request(bytes, length) : match_inline(bytes, length);
}

enum hs_match hs_redis_boundary(enum hs_side from, const uint8_t *bytes, size_t length)
{
	return from == HS_CLIENT ? match_request(bytes, length) : HS_MATCH_NO;
}
