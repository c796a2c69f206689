/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Borrowed pieces of text: not NUL-ended, any bytes. All functions stay inside of len. */
#ifndef HS_META_TEXT_H
#define HS_META_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct hs_text {
	const char *data; /* never NULL */
	size_t len;
};

static inline struct hs_text hs_text_bytes(const char *data, size_t len)
{
	return data ? (struct hs_text){ data, len } : (struct hs_text){ "", 0 };
}

/* NULL is "". */
static inline struct hs_text hs_text_of(const char *string)
{
	return hs_text_bytes(string, string ? strlen(string) : 0);
}

/* The ends of a text; len may be more than there is. */
static inline struct hs_text hs_text_first(struct hs_text text, size_t len)
{
	return (struct hs_text){ text.data, len < text.len ? len : text.len };
}

static inline struct hs_text hs_text_from(struct hs_text text, size_t start)
{
	start = start < text.len ? start : text.len;
	return (struct hs_text){ text.data + start, text.len - start };
}

static inline struct hs_text hs_text_last(struct hs_text text, size_t len)
{
	return hs_text_from(text, len < text.len ? text.len - len : 0);
}

static inline bool hs_text_equal(struct hs_text a, struct hs_text b)
{
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

static inline bool hs_text_is(struct hs_text text, const char *string)
{
	return text.len == strlen(string) && !memcmp(text.data, string, text.len);
}

static inline bool hs_text_starts(struct hs_text text, const char *prefix)
{
	return text.len >= strlen(prefix) && !memcmp(text.data, prefix, strlen(prefix));
}

static inline bool hs_text_ends(struct hs_text text, const char *suffix)
{
	return text.len >= strlen(suffix) && hs_text_is(hs_text_last(text, strlen(suffix)), suffix);
}

/* Index of the first c, text.len when there is none. */
size_t hs_text_find(struct hs_text text, char c);

/* What follows the last c, all of it when there is none. */
struct hs_text hs_text_after_last(struct hs_text text, char c);

/* Without its prefix or suffix, where it has it. */
struct hs_text hs_text_skip(struct hs_text text, const char *prefix);
struct hs_text hs_text_without(struct hs_text text, const char *suffix);

/* Not empty, and of characters of set only. */
bool hs_text_only(struct hs_text text, const char *set);

/* One of the words of a list that spaces separate; NULL is no list. */
bool hs_text_in(struct hs_text text, const char *list);

/* Last part of a path, slashes at its end aside; "" of "/". */
struct hs_text hs_text_base(struct hs_text path);

/* Take the next item, ended by NUL or by the end, off rest. False at the end. */
bool hs_text_next(struct hs_text *rest, struct hs_text *item);

#endif
