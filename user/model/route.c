// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/route.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hopscope/count.h"

#define NAME_MAX_LENGTH 48 /* a longer segment names a thing, not a kind of things */
#define TOKEN_LENGTH 16    /* so long and with digits amid letters: a token */
#define HASH_LENGTH 8      /* so long, only hexadecimal digits, decimal ones among them: a hash */

struct segment {
	const char *at;
	size_t length, digits, letters, hex_letters, hyphens, dots, others;
	bool address;
};

static struct segment look(const char *at, size_t length)
{
	struct segment s = { .at = at, .length = length };

	for (size_t i = 0; i < length; i++) {
		unsigned char c = at[i];

		if (isdigit(c))
			s.digits++;
		else if (isxdigit(c))
			s.hex_letters++;
		else if (isalpha(c))
			s.letters++;
		else if (c == '-' || c == '_')
			s.hyphens++;
		else if (c == '.')
			s.dots++;
		else
			s.others++;
		s.address |= c == '@';
	}
	s.letters += s.hex_letters;
	return s;
}

/* RFC 9562: 8-4-4-4-12 hexadecimal digits. */
static bool is_uuid(const struct segment *s)
{
	return s->length == 36 && s->hyphens == 4 && s->digits + s->hex_letters == 32 && s->at[8] == '-' &&
	       s->at[13] == '-' && s->at[18] == '-' && s->at[23] == '-';
}

/* The word for what it is, or NULL when it is a name. */
static const char *fold(const struct segment *s)
{
	size_t plain = s->digits + s->hyphens + s->dots;

	if (!s->length)
		return NULL;
	if (s->digits == s->length)
		return "{id}";
	if (is_uuid(s))
		return "{uuid}";
	if (s->digits >= 4 && plain == s->length && s->hyphens == 2 && s->length <= 10)
		return "{date}";
	if (s->digits && plain == s->length)
		return "{id}"; /* 12-34, 1.2.3.4 */
	if (s->address)
		return "{address}";
	if (s->length >= HASH_LENGTH && s->digits && s->digits + s->hex_letters == s->length)
		return "{hash}";
	if (s->length >= TOKEN_LENGTH && s->digits >= (s->hyphens ? 3 : 2) && !s->dots)
		return "{token}";
	if (s->length > NAME_MAX_LENGTH || (s->length > 3 && s->others * 2 > s->length))
		return "{token}";
	if (s->digits >= 4 && s->digits * 2 >= s->length)
		return "{id}"; /* order-100042 */
	return NULL;
}

void hs_route_of_path(const char *path, char *route, size_t size)
{
	static const char more[] = "/~more";
	size_t used = 0;

	while (*path) {
		const char *start = path;
		struct segment segment;
		const char *word;
		size_t length;

		while (*path == '/')
			path++;
		length = strcspn(path, "/");
		segment = look(path, length);
		word = fold(&segment);
		if (used + (path - start) + (word ? strlen(word) : length) + sizeof(more) > size) {
			memcpy(route + used, more, sizeof(more));
			return;
		}
		memcpy(route + used, start, path - start);
		used += path - start;
		memcpy(route + used, word ? word : path, word ? strlen(word) : length);
		used += word ? strlen(word) : length;
		path += length;
	}
	route[used] = '\0';
}

/* ---- routes that the user names ---- */

struct hs_route_patterns {
	size_t count;
	char *text[HS_ROUTE_PATTERNS_MAX];
};

struct hs_route_patterns *hs_route_patterns_new(void)
{
	return calloc(1, sizeof(struct hs_route_patterns));
}

void hs_route_patterns_free(struct hs_route_patterns *patterns)
{
	for (size_t i = 0; patterns && i < patterns->count; i++)
		free(patterns->text[i]);
	free(patterns);
}

static bool is_any(const char *segment, size_t length)
{
	if (length == 1 && *segment == '*')
		return true;
	return length > 2 && *segment == '{' && segment[length - 1] == '}';
}

/* An asterisk or a brace amid a segment looks like a wildcard, and would be none. */
static bool is_segment(const char *segment, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (iscntrl((unsigned char)segment[i]) || segment[i] == '?')
			return false;
	if (is_any(segment, length))
		return length == 1 || strcspn(segment + 1, "{}*") >= length - 2;
	return strcspn(segment, "{}*") >= length;
}

int hs_route_patterns_add(struct hs_route_patterns *patterns, const char *text)
{
	if (*text != '/')
		return -EINVAL;
	if (strlen(text) >= HS_ROUTE_LEN)
		return -ENAMETOOLONG;
	for (const char *at = text; *at == '/'; at += 1 + strcspn(at + 1, "/"))
		if (!is_segment(at + 1, strcspn(at + 1, "/")))
			return -EINVAL;
	if (patterns->count == HS_ROUTE_PATTERNS_MAX)
		return -ENOSPC;
	patterns->text[patterns->count] = strdup(text);
	return patterns->text[patterns->count] ? (patterns->count++, 0) : -ENOMEM;
}

static bool matches(const char *pattern, const char *path)
{
	while (*pattern == '/' && *path == '/') {
		size_t wanted = strcspn(++pattern, "/"), length = strcspn(++path, "/");

		if (is_any(pattern, wanted) ? !length : wanted != length || memcmp(pattern, path, length))
			return false;
		pattern += wanted;
		path += length;
	}
	return !*pattern && !*path;
}

bool hs_route_patterns_match(const struct hs_route_patterns *patterns, const char *path, char route[HS_ROUTE_LEN])
{
	for (size_t i = 0; patterns && i < patterns->count; i++) {
		if (!matches(patterns->text[i], path))
			continue;
		strcpy(route, patterns->text[i]);
		return true;
	}
	return false;
}

/* ---- as the kernel knows them ---- */

static enum hs_method method_of(const char *name)
{
	static const char *const names[] = {
		[HS_METHOD_GET] = "GET", [HS_METHOD_HEAD] = "HEAD", [HS_METHOD_POST] = "POST",
		[HS_METHOD_PUT] = "PUT", [HS_METHOD_PATCH] = "PATCH", [HS_METHOD_DELETE] = "DELETE",
	};

	for (size_t i = HS_METHOD_GET; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], name))
			return i;
	return HS_METHOD_OTHER;
}

static bool is_in_place_of_a_name(const char *segment, size_t length)
{
	struct hs_path_hash p = {};

	hs_path_hash_text(&p, segment, length);
	return hs_segment_class_of(&p) != HS_SEGMENT_LITERAL;
}

/* Does a pattern name one of many things ("/errors/404")? To the kernel it is like the others. */
static bool names_things(const struct hs_route_patterns *patterns)
{
	for (size_t i = 0; patterns && i < patterns->count; i++)
		for (const char *at = patterns->text[i]; *at == '/'; at += 1 + strcspn(at + 1, "/"))
			if (is_in_place_of_a_name(at + 1, strcspn(at + 1, "/")))
				return true;
	return false;
}

bool hs_route_hash(const struct hs_route_patterns *patterns, const char *method, const char *path, const char *route,
		   uint64_t *hash)
{
	enum hs_method seed = method_of(method);
	struct hs_path_hash p = { .hash = seed, .literal = seed };
	bool folded = false;
	uint32_t words = 0;

	if (!seed || *path != '/' || *route != '/')
		return false;
	while (*path == '/') {
		size_t length = strcspn(++path, "/"), wanted = strcspn(++route, "/");

		words += hs_path_hash_text(&p, path, length);
		if (hs_segment_class_of(&p) == HS_SEGMENT_LITERAL) {
			if (wanted != length || memcmp(path, route, length))
				return false;
		} else if (!is_any(route, wanted)) {
			return false;
		} else {
			folded = true;
		}
		hs_path_hash_segment(&p);
		path += length;
		route += wanted;
		if (*path != *route)
			return false;
	}
	*hash = p.hash;
	return p.hash && words <= HS_PATH_WORDS && !(folded && names_things(patterns));
}
