/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ends of a connection, by what they are to each other: never by port numbers. */
#ifndef HS_BASE_SIDE_H
#define HS_BASE_SIDE_H

enum hs_side { HS_CLIENT, HS_SERVER, HS_SIDES };

static inline enum hs_side hs_other_side(enum hs_side side)
{
	return side == HS_CLIENT ? HS_SERVER : HS_CLIENT;
}

#endif
