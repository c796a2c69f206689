/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text on a terminal: what is safe to print, how many columns it takes, and how to shorten it. */
#ifndef HS_BASE_DISPLAY_H
#define HS_BASE_DISPLAY_H

#include <stddef.h>

/* Takes the user's locale for characters, or C.UTF-8 where that is not UTF-8. Call it first. */
void hs_display_init(void);

/*
 * Copies text so that a terminal can only show it: valid UTF-8, '?' for control characters and for
 * those that are invisible or turn the writing direction. out is NUL-ended.
 */
void hs_display_clean(const char *text, char *out, size_t size);

/* Columns that clean text takes. */
int hs_display_width(const char *text);

enum hs_cut {
	HS_CUT_END,    /* "unreachable 12, re…" */
	HS_CUT_MIDDLE, /* "checkout-se…:8080": both ends of a name tell */
};

/*
 * Copies clean text, shortened to width columns (at least 1) when it is wider. size should be
 * that of text and 4 more: the ellipsis takes 3 bytes.
 */
void hs_display_shorten(const char *text, int width, enum hs_cut cut, char *out, size_t size);

#endif
