/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events carry CLOCK_MONOTONIC; people and files want the wall clock. */
#ifndef HS_BASE_CLOCK_H
#define HS_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define HS_NS_PER_SEC 1000000000ull
#define HS_NS_PER_MS 1000000ull

struct hs_clock {
	int64_t realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC when it was taken */
};

struct hs_clock hs_clock_now(void); /* of this machine, now */
uint64_t hs_monotonic_ns(void);

/* RFC 3339 with nanoseconds, UTC: "2026-01-31T12:00:00.000000001Z"; "" for time_ns 0. */
#define HS_TIME_LEN 32
void hs_clock_format(const struct hs_clock *clock, uint64_t time_ns, char text[HS_TIME_LEN]);

#endif
