/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
	struct timespec time;

	clock_gettime(id, &time);
	return (int64_t)time.tv_sec * (int64_t)HS_NS_PER_SEC + time.tv_nsec;
}

uint64_t hs_monotonic_ns(void)
{
	return (uint64_t)clock_read(CLOCK_MONOTONIC);
}

/* The real time is read between two monotonic ones: being preempted in between costs half. */
struct hs_clock hs_clock_now(void)
{
	int64_t before = clock_read(CLOCK_MONOTONIC);
	int64_t real = clock_read(CLOCK_REALTIME);
	int64_t after = clock_read(CLOCK_MONOTONIC);

	return (struct hs_clock){ .realtime_offset_ns = real - (before + (after - before) / 2) };
}

static char *put_digits(char *at, uint64_t value, int digits)
{
	for (int i = digits - 1; i >= 0; i--, value /= 10)
		at[i] = (char)('0' + value % 10);
	return at + digits;
}

static char *put_part(char *at, uint64_t value, int digits, char end)
{
	at = put_digits(at, value, digits);
	*at++ = end;
	return at;
}

/*
 * Days since 1970 to a date, in years that begin on 1 March: the leap day is then the last one,
 * and a month's first day is a straight line of its number. Not gmtime_r() and strftime(): a
 * document has three times for each of ten thousand connections.
 */
static char *put_date(char *at, uint64_t days)
{
	uint64_t since_0000 = days + 719468; /* 0000-03-01 */
	uint64_t era = since_0000 / 146097;  /* of 400 years */
	uint64_t day_of_era = since_0000 % 146097;
	uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
				day_of_era / 146096) / 365;
	uint64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * day_of_year + 2) / 153; /* 0: March */
	uint64_t day = day_of_year - (153 * month + 2) / 5 + 1;

	at = put_part(at, era * 400 + year_of_era + (month >= 10), 4, '-');
	at = put_part(at, month < 10 ? month + 3 : month - 9, 2, '-');
	return put_part(at, day, 2, 'T');
}

void hs_clock_format(const struct hs_clock *clock, uint64_t time_ns, char text[HS_TIME_LEN])
{
	int64_t real;
	uint64_t seconds;
	char *at = text;

	*text = '\0';
	if (!time_ns)
		return;
	/* A recording may hold anything. 64 bits of nanoseconds end in 2262. */
	if (time_ns > INT64_MAX ||
	    __builtin_add_overflow((int64_t)time_ns, clock->realtime_offset_ns, &real) || real < 0)
		real = 0;
	seconds = (uint64_t)real / HS_NS_PER_SEC;
	at = put_date(at, seconds / 86400);
	at = put_part(at, seconds / 3600 % 24, 2, ':');
	at = put_part(at, seconds / 60 % 60, 2, ':');
	at = put_part(at, seconds % 60, 2, '.');
	at = put_part(at, (uint64_t)real % HS_NS_PER_SEC, 9, 'Z');
	*at = '\0';
}
