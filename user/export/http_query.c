/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/http_query.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static bool parse_last(struct hs_events_query *query, const char *value)
{
	size_t digits = strspn(value, "0123456789");

	query->last_given = true;
	query->last = 0;
	if (!digits || digits > 9 || value[digits])
		return false;
	for (; *value; value++)
		query->last = query->last * 10 + (uint64_t)(*value - '0');
	return true;
}

/* In a query a '+' is a blank, so "+02:00" that was not escaped arrives as " 02:00". */
static bool parse_time(const char *value, int64_t *unix_ns)
{
	char text[64];
	size_t len = strlen(value);

	if (len >= sizeof(text))
		return false;
	memcpy(text, value, len + 1);
	if (len > 6 && text[len - 6] == ' ')
		text[len - 6] = '+';
	return hs_time_parse(text, unix_ns);
}

static bool parse_since(struct hs_events_query *query, const char *value)
{
	uint64_t ago;

	query->since_kind = HS_SINCE_TIME;
	if (parse_time(value, &query->since_ns))
		return true;
	query->since_kind = HS_SINCE_AGO;
	if (!hs_duration_parse(value, &ago) || ago > INT64_MAX)
		return false;
	query->since_ns = (int64_t)ago;
	return true;
}

static bool parse_follow(struct hs_events_query *query, const char *value)
{
	static const struct word {
		const char *word;
		bool follow;
	} words[] = {
		{ "", true }, { "1", true }, { "true", true }, { "0", false }, { "false", false }
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!strcmp(value, words[i].word)) {
			query->follow = words[i].follow;
			return true;
		}
	}
	return false;
}

static const struct parameter {
	const char *name;
	bool (*parse)(struct hs_events_query *query, const char *value);
	const char *expected;
} parameters[] = {
	{ "last", parse_last, "a number of events such as 20" },
	{ "since", parse_since,
	  "a time such as 2026-01-31T12:00:00Z or a duration such as 30s, 5m or 2h" },
	{ "follow", parse_follow, "1, true, 0 or false" },
};

bool hs_events_query_set(struct hs_events_query *query, const char *name, const char *value,
			 char *message, size_t size)
{
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		const struct parameter *parameter = &parameters[i];

		if (strcmp(name, parameter->name))
			continue;
		if (parameter->parse(query, value ? value : ""))
			return true;
		snprintf(message, size, "bad value \"%s\" for %s: expected %s", value ? value : "",
			 name, parameter->expected);
		return false;
	}
	snprintf(message, size, "unknown parameter \"%s\": expected last, since or follow", name);
	return false;
}
