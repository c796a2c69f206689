// SPDX-License-Identifier: GPL-2.0-or-later
/* What each kind of option takes as its value. */
#include <string.h>

#include "base/duration.h"
#include "base/network.h"
#include "base/options.h"

static bool accepts_text(const char *text)
{
	return *text;
}

static bool accepts_count(const char *text)
{
	size_t len = strlen(text);

	return len && len <= 9 && !text[strspn(text, "0123456789")];
}

static unsigned number_of(const char *text)
{
	unsigned number = 0;

	while (*text)
		number = number * 10 + (unsigned)(*text++ - '0');
	return number;
}

static bool accepts_port(const char *text)
{
	return accepts_count(text) && number_of(text) >= 1 && number_of(text) <= 65535;
}

static bool accepts_duration(const char *text)
{
	uint64_t ns;

	return hs_duration_parse(text, &ns) && ns;
}

static bool accepts_since(const char *text)
{
	int64_t unix_ns;

	return accepts_duration(text) || hs_time_parse(text, &unix_ns);
}

static bool accepts_network(const char *text)
{
	struct hs_network network;

	return hs_network_parse(text, &network);
}

/* The address is left to whoever binds it. Port 0, any free one, is good for tests. */
static bool accepts_listen(const char *text)
{
	const char *colon = strrchr(text, ':');

	if (!colon || !accepts_count(colon + 1) || number_of(colon + 1) > 65535)
		return false;
	return !memchr(text, ':', (size_t)(colon - text)) || (*text == '[' && colon[-1] == ']');
}

static const struct kind {
	bool (*accepts)(const char *text); /* NULL: no value, or a list to choose from */
	const char *expected;
} kinds[] = {
	[HS_OPTION_FLAG] = { NULL, "nothing" },
	[HS_OPTION_NOT] = { NULL, "nothing" },
	[HS_OPTION_TEXT] = { accepts_text, "a text that is not empty" },
	[HS_OPTION_FILE] = { accepts_text, "a path" },
	[HS_OPTION_CHOICE] = { NULL, NULL },
	[HS_OPTION_COUNT] = { accepts_count, "a whole number" },
	[HS_OPTION_PORT] = { accepts_port, "a port from 1 to 65535" },
	[HS_OPTION_DURATION] = { accepts_duration, "a duration such as 500ms, 2s, 5m or 1h30m" },
	[HS_OPTION_SINCE] = { accepts_since,
			      "a duration such as 5m or a time such as 2026-01-31T12:00:00Z" },
	[HS_OPTION_NETWORK] = { accepts_network, "an address or a network such as 10.0.0.0/8" },
	[HS_OPTION_LISTEN] = { accepts_listen,
			       "an address and port such as 127.0.0.1:9464, [::1]:9464 or :9464" },
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == HS_OPTION_KINDS, "an entry for every kind");

static char plain(char c)
{
	return c == '_' ? '-' : c;
}

/* close-wait or close_wait: whichever comes to mind. */
static bool same_word(const char *word, const char *text)
{
	while (*word && plain(*word) == plain(*text)) {
		word++;
		text++;
	}
	return !*word && !*text;
}

const char *hs_option_value(const struct hs_option *option, const char *text, const char **expected)
{
	const struct kind *kind = &kinds[option->kind];

	*expected = kind->expected;
	if (option->kind != HS_OPTION_CHOICE)
		return kind->accepts && kind->accepts(text) ? text : NULL;
	for (size_t i = 0; option->choices[i]; i++) {
		if (same_word(option->choices[i], text))
			return option->choices[i];
	}
	return NULL;
}
