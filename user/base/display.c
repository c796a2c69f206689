// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/display.h"

#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/utf8.h"

/* One column wide in either case. "~" where the terminal may not know UTF-8. */
static const char *ellipsis = "…";

void hs_display_init(void)
{
	setlocale(LC_CTYPE, "");
	if (!strcmp(nl_langinfo(CODESET), "UTF-8"))
		return;
	/* The widths of characters are needed all the same. */
	setlocale(LC_CTYPE, "C.UTF-8");
	ellipsis = "~";
}

/* The character at text, which is valid UTF-8 and not at its end; *len is its bytes. */
static uint32_t decode(const char *text, size_t *len)
{
	const unsigned char *b = (const unsigned char *)text;

	*len = b[0] < 0x80 ? 1 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	switch (*len) {
	case 1:
		return b[0];
	case 2:
		return (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
	case 3:
		return (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
	default:
		return (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 |
		       (b[3] & 0x3fu);
	}
}

/*
 * Characters that show nothing and change how the rest is read: soft hyphen, zero-width ones,
 * direction marks, separators, tags. A name made of these can look like another one.
 */
static bool is_deceptive(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00ad, 0x00ad }, { 0x061c, 0x061c }, { 0x180e, 0x180e },
		{ 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
		{ 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	}
	return wcwidth((wchar_t)c) < 0;
}

void hs_display_clean(const char *text, char *out, size_t size)
{
	const char *from = out;
	char *to = out;
	size_t len;

	if (!size)
		return;
	hs_utf8_copy(out, size, text, strlen(text));
	for (; *from; from += len) {
		if (is_deceptive(decode(from, &len))) {
			*to++ = '?';
		} else {
			memmove(to, from, len);
			to += len;
		}
	}
	*to = '\0';
}

/* Columns of the character at text, *len its bytes. */
static int columns_at(const char *text, size_t *len)
{
	int columns = wcwidth((wchar_t)decode(text, len));

	return columns > 0 ? columns : 0;
}

int hs_display_width(const char *text)
{
	int width = 0;
	size_t len;

	for (; *text; text += len)
		width += columns_at(text, &len);
	return width;
}

/* Bytes of the longest beginning that takes at most width columns. */
static size_t beginning(const char *text, int width)
{
	size_t at = 0, len;

	while (text[at]) {
		width -= columns_at(text + at, &len);
		if (width < 0)
			break;
		at += len;
	}
	return at;
}

/* Where the longest ending begins that takes at most width columns. */
static size_t ending(const char *text, int width)
{
	int skip = hs_display_width(text) - width;
	size_t at = 0, len;

	while (text[at] && skip > 0) {
		skip -= columns_at(text + at, &len);
		at += len;
	}
	return at;
}

void hs_display_shorten(const char *text, int width, enum hs_cut cut, char *out, size_t size)
{
	int keep = width - 1, tail = cut == HS_CUT_MIDDLE ? keep / 2 : 0;

	if (hs_display_width(text) <= width)
		snprintf(out, size, "%s", text);
	else
		snprintf(out, size, "%.*s%s%s", (int)beginning(text, keep - tail), text, ellipsis,
			 text + ending(text, tail));
}
