/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers, addresses and texts, as the exporters write them. Independent of the locale. */
#ifndef HS_EXPORT_FORMAT_H
#define HS_EXPORT_FORMAT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define HS_NUMBER_LEN 32
#define HS_ADDRESS_LEN 46

/* Each returns the length. text is NUL-ended. */
size_t hs_format_number(char text[HS_NUMBER_LEN], uint64_t value);

/* 15 significant digits and a point or an exponent: "0.5", "3.0", "1e-07". value is finite. */
size_t hs_format_real(char text[HS_NUMBER_LEN], double value);

/* value / per_second, exactly; per_second is a power of ten: 1500 and 1000 give "1.5". */
size_t hs_format_seconds(char text[HS_NUMBER_LEN], uint64_t value, uint64_t per_second);

/* IPv4 when v4-mapped. */
size_t hs_format_address(char text[HS_ADDRESS_LEN], const uint8_t address[16]);

enum hs_escape {
	HS_ESCAPE_JSON,  /* RFC 8259, 7 */
	HS_ESCAPE_LABEL, /* a label's value: \\ \" \n and nothing else */
};

/* How many bytes of text, from its first, need no escape of any kind. */
size_t hs_format_plain(const char *text);

/* Writes text without quotes around it. Bytes that are not UTF-8 become '?'. */
void hs_format_escaped(FILE *out, const char *text, enum hs_escape escape);

#endif
