/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Well-formed sequences by their first byte (The Unicode Standard, table 3-7). Only the second
 * byte has bounds of its own: they keep out overlong forms, surrogates and what is above U+10FFFF.
 */
static const struct form {
	unsigned char first_min, first_max;
	unsigned char second_min, second_max;
	unsigned char len;
} forms[] = {
	{ 0x00, 0x7f, 0x00, 0x00, 1 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool form_holds(const struct form *form, const unsigned char *bytes, size_t len)
{
	if (len < form->len)
		return false;
	if (form->len > 1 && (bytes[1] < form->second_min || bytes[1] > form->second_max))
		return false;
	for (size_t i = 2; i < form->len; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return false;
	}
	return true;
}

/* Length of the character that begins here; 0: none does. len is not 0. */
static size_t character_len(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (bytes[0] <= forms[i].first_max) {
			if (bytes[0] < forms[i].first_min || !form_holds(&forms[i], bytes, len))
				return 0;
			return forms[i].len;
		}
	}
	return 0;
}

/* C0, DEL and C1: a terminal may obey them. bytes is a valid character. */
static bool is_control(const unsigned char *bytes)
{
	return bytes[0] < 0x20 || bytes[0] == 0x7f || (bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

size_t hs_utf8_copy(char *dst, size_t size, const char *src, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)src;
	size_t used = 0;

	if (!size)
		return 0;
	for (size_t at = 0; at < len;) {
		size_t taken = character_len(bytes + at, len - at);
		bool bad = !taken || is_control(bytes + at);
		size_t put = bad ? 1 : taken;

		if (put >= size - used)
			break;
		memcpy(dst + used, bad ? "?" : src + at, put);
		used += put;
		at += taken ? taken : 1;
	}
	dst[used] = '\0';
	return used;
}
