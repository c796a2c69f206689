/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as people type them. */
#ifndef HS_BASE_DURATION_H
#define HS_BASE_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* "250ms", "2.5s", "5m", "1h30m", "2d"; a bare number is seconds. False: text is none of these. */
bool hs_duration_parse(const char *text, uint64_t *ns);

/*
 * RFC 3339, "2026-01-31T12:00:00Z" with or without a fraction, any offset; a space may stand for
 * the T. Nanoseconds since 1970, UTC. False: text is no such time.
 */
bool hs_time_parse(const char *text, int64_t *unix_ns);

#endif
