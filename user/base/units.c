// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/units.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One figure after the point below ten, none above: 1.2k, 12k, 120k. */
static void format_scaled(double number, const char *unit, char text[HS_UNIT_LEN])
{
	snprintf(text, HS_UNIT_LEN, number < 9.95 ? "%.1f%s" : "%.0f%s", number, unit);
}

/* Climbs the units while the number would be printed with four figures. */
static void format_steps(double number, double step, const char *const *units, size_t count,
			 char text[HS_UNIT_LEN])
{
	size_t i = 0;

	while (i + 1 < count && number >= step - (step == 1000 ? 0.5 : 1)) {
		number /= step;
		i++;
	}
	if (i == 0)
		snprintf(text, HS_UNIT_LEN, "%.0f%s", number, units[0]);
	else
		format_scaled(number, units[i], text);
}

static void format_count(double number, char text[HS_UNIT_LEN])
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P" };

	format_steps(number, 1000, units, sizeof(units) / sizeof(units[0]), text);
}

static void format_bytes(double number, char text[HS_UNIT_LEN])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };

	format_steps(number, 1024, units, sizeof(units) / sizeof(units[0]), text);
}

static void format_rate(double number, char text[HS_UNIT_LEN])
{
	if (number < 0.005)
		snprintf(text, HS_UNIT_LEN, "0");
	else if (number < 0.095)
		snprintf(text, HS_UNIT_LEN, "%.2f", number);
	else if (number < 9.95)
		snprintf(text, HS_UNIT_LEN, "%.1f", number);
	else
		format_count(number, text);
}

static void format_age(double seconds, char text[HS_UNIT_LEN])
{
	uint64_t s = seconds > 1e15 ? 1000000000000000u : (uint64_t)seconds;
	uint64_t minutes = s / 60, hours = s / 3600, days = s / 86400;

	if (s < 60)
		snprintf(text, HS_UNIT_LEN, "%us", (unsigned)s);
	else if (minutes < 60)
		snprintf(text, HS_UNIT_LEN, "%um%02us", (unsigned)minutes, (unsigned)(s % 60));
	else if (hours < 24)
		snprintf(text, HS_UNIT_LEN, "%uh%02um", (unsigned)hours, (unsigned)(minutes % 60));
	else
		snprintf(text, HS_UNIT_LEN, "%llud%uh", (unsigned long long)days,
			 (unsigned)(hours % 24));
}

static void format_seconds(double seconds, char text[HS_UNIT_LEN])
{
	if (seconds < 0.0000005)
		snprintf(text, HS_UNIT_LEN, "0");
	else if (seconds < 0.0009995)
		snprintf(text, HS_UNIT_LEN, "%.0fus", seconds * 1e6);
	else if (seconds < 0.9995)
		format_scaled(seconds * 1e3, "ms", text);
	else if (seconds < 99.5)
		format_scaled(seconds, "s", text);
	else
		format_age(seconds, text);
}

static void format_plain(double number, char text[HS_UNIT_LEN])
{
	snprintf(text, HS_UNIT_LEN, "%.15g", number);
}

static void (*const formats[])(double number, char text[HS_UNIT_LEN]) = {
	[HS_UNIT_COUNT] = format_count, [HS_UNIT_RATE] = format_rate,
	[HS_UNIT_BYTES] = format_bytes, [HS_UNIT_SECONDS] = format_seconds,
	[HS_UNIT_AGE] = format_age,	[HS_UNIT_PLAIN] = format_plain,
};

void hs_unit_format(enum hs_unit unit, double number, char text[HS_UNIT_LEN])
{
	formats[unit](number > 0 ? number : 0, text);
}
