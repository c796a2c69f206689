// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/duration.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static const struct unit {
	const char *name; /* the longer one first where one begins the other */
	uint64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", HS_NS_PER_MS },
	{ "s", HS_NS_PER_SEC },
	{ "m", 60 * HS_NS_PER_SEC },
	{ "h", 3600 * HS_NS_PER_SEC },
	{ "d", 86400 * HS_NS_PER_SEC },
};

static const struct unit *unit_at(const char *text)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strncmp(text, units[i].name, strlen(units[i].name)))
			return &units[i];
	}
	return NULL;
}

/* Digits with at most one point; not strtod(), which takes "inf", "0x1" and the locale's comma. */
static bool parse_number(const char **text, double *number)
{
	double value = 0, scale = 1;
	bool point = false;
	const char *at = *text;

	if (!isdigit((unsigned char)*at))
		return false;
	for (; isdigit((unsigned char)*at) || (*at == '.' && !point); at++) {
		if (*at == '.') {
			point = true;
			continue;
		}
		value = value * 10 + (*at - '0');
		if (point)
			scale *= 10;
	}
	*text = at;
	*number = value / scale;
	return true;
}

bool hs_duration_parse(const char *text, uint64_t *ns)
{
	double total = 0, number;
	bool bare = !text[strspn(text, "0123456789.")];

	do {
		const struct unit *unit = &units[3];

		if (!parse_number(&text, &number))
			return false;
		if (!bare) {
			unit = unit_at(text);
			if (!unit)
				return false;
			text += strlen(unit->name);
		}
		total += number * (double)unit->ns;
	} while (*text);
	if (total > 9e18)
		return false;
	*ns = (uint64_t)total;
	return true;
}

/* ".123456789": what is behind the ninth figure is dropped. */
static bool parse_fraction(const char **text, int64_t *ns)
{
	int64_t value = 0, unit = HS_NS_PER_SEC / 10;
	const char *at = *text;

	if (*at == '.') {
		if (!isdigit((unsigned char)*++at))
			return false;
		for (; isdigit((unsigned char)*at); at++, unit /= 10)
			value += (*at - '0') * unit;
	}
	*text = at;
	*ns = value;
	return true;
}

/* "Z" or "+02:00", to the end of text. */
static bool parse_offset(const char *text, int64_t *seconds)
{
	struct tm tm = { 0 };
	const char *end;

	*seconds = 0;
	if ((*text == 'Z' || *text == 'z') && !text[1])
		return true;
	if ((*text != '+' && *text != '-') || strlen(text) != 6)
		return false;
	end = strptime(text + 1, "%H:%M", &tm);
	if (!end || *end)
		return false;
	*seconds = (*text == '-' ? -1 : 1) * (tm.tm_hour * 3600 + tm.tm_min * 60);
	return true;
}

bool hs_time_parse(const char *text, int64_t *unix_ns)
{
	struct tm tm = { 0 };
	int64_t fraction, offset;
	const char *at = strptime(text, "%Y-%m-%d", &tm);

	if (!at || (*at != 'T' && *at != 't' && *at != ' '))
		return false;
	at = strptime(at + 1, "%H:%M:%S", &tm);
	if (!at || tm.tm_year < 70 || tm.tm_year > 300)
		return false;
	if (!parse_fraction(&at, &fraction) || !parse_offset(at, &offset))
		return false;
	*unix_ns = ((int64_t)timegm(&tm) - offset) * (int64_t)HS_NS_PER_SEC + fraction;
	return true;
}
