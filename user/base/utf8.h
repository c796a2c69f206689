/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes from outside, made fit for labels, JSON and terminals. */
#ifndef HS_BASE_UTF8_H
#define HS_BASE_UTF8_H

#include <stddef.h>

/*
 * Copy len bytes of src to dst (size bytes with the NUL). Each byte that is not part of a valid
 * UTF-8 sequence, and each control character (NUL and C1 too), becomes '?'. Never cuts inside a
 * character. dst is NUL-ended unless size is 0. Returns strlen(dst).
 */
size_t hs_utf8_copy(char *dst, size_t size, const char *src, size_t len);

#endif
