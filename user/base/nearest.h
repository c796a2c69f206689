/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean …?" */
#ifndef HS_BASE_NEAREST_H
#define HS_BASE_NEAREST_H

#include <stddef.h>

/*
 * The word of the list that word was probably meant to be: fewest slips of typing (a letter
 * wrong, missing, too much, or two swapped), or the one it begins. NULL: none is near.
 */
const char *hs_nearest(const char *word, const char *const *list, size_t count);

#endif
