/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/format.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"

size_t hs_format_number(char text[HS_NUMBER_LEN], uint64_t value)
{
	char digits[20];
	size_t len = 0;

	do {
		digits[sizeof(digits) - ++len] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	memcpy(text, digits + sizeof(digits) - len, len);
	text[len] = '\0';
	return len;
}

size_t hs_format_real(char text[HS_NUMBER_LEN], double value)
{
	static const double exact = 1e15;
	size_t len;

	if (value >= 0 && value < exact && value == floor(value)) {
		len = hs_format_number(text, (uint64_t)value);
		memcpy(text + len, ".0", 3);
		return len + 2;
	}
	len = (size_t)snprintf(text, HS_NUMBER_LEN, "%.15g", value);
	for (char *at = text; *at; at++) {
		if (*at == ',') /* the locale's; e+20 and the point need nothing */
			*at = '.';
	}
	if (!strpbrk(text, ".e"))
		len += (size_t)snprintf(text + len, HS_NUMBER_LEN - len, ".0");
	return len;
}

size_t hs_format_seconds(char text[HS_NUMBER_LEN], uint64_t value, uint64_t per_second)
{
	uint64_t rest = value % per_second;
	size_t len = hs_format_number(text, value / per_second);

	text[len++] = '.';
	do {
		per_second /= 10;
		text[len++] = (char)('0' + (per_second ? rest / per_second : 0));
		rest = per_second ? rest % per_second : 0;
	} while (rest);
	text[len] = '\0';
	return len;
}

size_t hs_format_address(char text[HS_ADDRESS_LEN], const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	size_t len = 0;

	if (memcmp(address, mapped, sizeof(mapped))) {
		inet_ntop(AF_INET6, address, text, HS_ADDRESS_LEN);
		return strlen(text);
	}
	for (int i = 0; i < 4; i++) {
		len += hs_format_number(text + len, address[sizeof(mapped) + i]);
		text[len++] = '.';
	}
	text[--len] = '\0';
	return len;
}

size_t hs_format_plain(const char *text)
{
	size_t len = 0;

	while (text[len] >= 0x20 && text[len] < 0x7f && text[len] != '"' && text[len] != '\\')
		len++;
	return len;
}

/* The bytes from here that are not ASCII, made valid. Returns how many it took. */
static size_t put_wide(FILE *out, const char *text)
{
	char clean[128];
	size_t len = 0;

	while ((text[len] & 0x80) && len < sizeof(clean) - 1)
		len++;
	while (len > 4 &&
	       (text[len] & 0xc0) == 0x80) /* inside of a character: leave it for the next */
		len--;
	fwrite_unlocked(clean, 1, hs_utf8_copy(clean, sizeof(clean), text, len), out);
	return len;
}

static void put_special(FILE *out, unsigned char c, enum hs_escape escape)
{
	if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c == '\n')
		fputs_unlocked("\\n", out);
	else if (escape == HS_ESCAPE_JSON)
		fprintf(out, "\\u%04x", c);
	else
		putc_unlocked(c, out);
}

void hs_format_escaped(FILE *out, const char *text, enum hs_escape escape)
{
	while (*text) {
		size_t plain = hs_format_plain(text);

		fwrite_unlocked(text, 1, plain, out);
		text += plain;
		if (*text & 0x80)
			text += put_wide(out, text);
		else if (*text)
			put_special(out, (unsigned char)*text++, escape);
	}
}
