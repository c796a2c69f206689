/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as people read them: three figures and a unit. Not for machines: those get base units. */
#ifndef HS_BASE_UNITS_H
#define HS_BASE_UNITS_H

#define HS_UNIT_LEN 24

/* How a number of a document is written. */
enum hs_unit {
	HS_UNIT_COUNT,   /* 12, 1.2k, 3.4M */
	HS_UNIT_RATE,    /* per second: 0.03, 1.5, 120, 1.2k */
	HS_UNIT_BYTES,   /* 512B, 3.4MiB */
	HS_UNIT_SECONDS, /* 120us, 1.5ms, 2.0s, 3m12s */
	HS_UNIT_AGE,     /* 12s, 3m12s, 2h05m, 3d4h: nothing below a second */
	HS_UNIT_PLAIN,   /* an identifier such as a pid: every digit */
};

/* Negative numbers and NaN are written as 0. */
void hs_unit_format(enum hs_unit unit, double number, char text[HS_UNIT_LEN]);

#endif
