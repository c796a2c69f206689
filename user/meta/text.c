/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/text.h"

size_t hs_text_find(struct hs_text text, char c)
{
	const char *at = memchr(text.data, c, text.len);

	return at ? (size_t)(at - text.data) : text.len;
}

struct hs_text hs_text_after_last(struct hs_text text, char c)
{
	size_t start = text.len;

	while (start && text.data[start - 1] != c)
		start--;
	return hs_text_from(text, start);
}

struct hs_text hs_text_skip(struct hs_text text, const char *prefix)
{
	return hs_text_starts(text, prefix) ? hs_text_from(text, strlen(prefix)) : text;
}

struct hs_text hs_text_without(struct hs_text text, const char *suffix)
{
	return hs_text_ends(text, suffix) ? hs_text_first(text, text.len - strlen(suffix)) : text;
}

bool hs_text_only(struct hs_text text, const char *set)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!text.data[i] || !strchr(set, text.data[i]))
			return false;
	}
	return text.len > 0;
}

bool hs_text_in(struct hs_text text, const char *list)
{
	struct hs_text rest = hs_text_of(list);

	while (text.len && rest.len) {
		struct hs_text word = hs_text_first(rest, hs_text_find(rest, ' '));

		if (word.len == text.len && !memcmp(word.data, text.data, text.len))
			return true;
		rest = hs_text_from(rest, word.len + 1);
	}
	return false;
}

struct hs_text hs_text_base(struct hs_text path)
{
	while (hs_text_ends(path, "/"))
		path.len--;
	return hs_text_after_last(path, '/');
}

bool hs_text_next(struct hs_text *rest, struct hs_text *item)
{
	if (!rest->len)
		return false;
	*item = hs_text_first(*rest, hs_text_find(*rest, '\0'));
	*rest = hs_text_from(*rest, item->len + 1);
	return true;
}
