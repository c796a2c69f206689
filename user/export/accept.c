/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/accept.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define BLANK " \t"

/* Without the blanks around it. */
static void trim(const char **text, size_t *len)
{
	while (*len && strchr(BLANK, **text)) {
		(*text)++;
		(*len)--;
	}
	while (*len && strchr(BLANK, (*text)[*len - 1]))
		(*len)--;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && !strncasecmp(text, word, len);
}

static size_t find(const char *text, size_t len, char c)
{
	const char *at = memchr(text, c, len);

	return at ? (size_t)(at - text) : len;
}

/* One parameter, name=value. */
static bool param_is(const char *text, size_t len, const char *name, const char **value,
		     size_t *value_len)
{
	size_t name_len = find(text, len, '=');
	const char *key = text;
	size_t key_len = name_len;

	trim(&key, &key_len);
	if (name_len == len || !is_word(key, key_len, name))
		return false;
	*value = text + name_len + 1;
	*value_len = len - name_len - 1;
	trim(value, value_len);
	if (*value_len >= 2 && **value == '"' && (*value)[*value_len - 1] == '"') {
		(*value)++;
		*value_len -= 2;
	}
	return true;
}

const char *hs_accept_param(const struct hs_accept *item, const char *name, size_t *len)
{
	const char *value;

	for (size_t at = 0; at < item->params_len;) {
		size_t part = find(item->params + at, item->params_len - at, ';');

		if (param_is(item->params + at, part, name, &value, len))
			return value;
		at += part + 1;
	}
	return NULL;
}

/* "0.5", "1", "0.125": RFC 9110, 12.4.2. */
static unsigned parse_quality(const struct hs_accept *item)
{
	size_t len = 0;
	const char *text = hs_accept_param(item, "q", &len);
	unsigned quality, unit = 1000;

	if (!text || !len || len > 5 || (*text != '0' && *text != '1') ||
	    (len > 1 && text[1] != '.'))
		return 1000;
	quality = (unsigned)(*text - '0') * unit;
	for (size_t i = 2; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return 1000;
		unit /= 10;
		quality += (unsigned)(text[i] - '0') * unit;
	}
	return quality < 1000 ? quality : 1000;
}

bool hs_accept_next(const char **header, struct hs_accept *item)
{
	const char *text = *header;
	size_t len, name_len;

	text += strspn(text, BLANK ",");
	if (!*text)
		return false;
	len = strcspn(text, ",");
	*header = text + len;
	name_len = find(text, len, ';');
	*item = (struct hs_accept){
		.name = text,
		.name_len = name_len,
		.params = text + (name_len < len ? name_len + 1 : len),
		.params_len = name_len < len ? len - name_len - 1 : 0,
	};
	trim(&item->name, &item->name_len);
	item->quality = parse_quality(item);
	return true;
}

bool hs_accept_is(const struct hs_accept *item, const char *word)
{
	return is_word(item->name, item->name_len, word);
}

bool hs_accept_gzip(const char *header)
{
	enum { GZIP, ANY, IDENTITY, KINDS };
	int quality[KINDS] = { -1, -1, -1 }; /* -1: not named */
	struct hs_accept item;

	while (header && hs_accept_next(&header, &item)) {
		if (hs_accept_is(&item, "gzip") || hs_accept_is(&item, "x-gzip"))
			quality[GZIP] = (int)item.quality;
		else if (hs_accept_is(&item, "*"))
			quality[ANY] = (int)item.quality;
		else if (hs_accept_is(&item, "identity"))
			quality[IDENTITY] = (int)item.quality;
	}
	if (quality[GZIP] < 0)
		quality[GZIP] = quality[ANY];
	return quality[GZIP] > 0 && quality[GZIP] >= quality[IDENTITY];
}
