// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/filter.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/network.h"
#include "cmd/document.h"

static bool holds(const struct hs_filter *filter, const struct hs_args *args,
		  const json_t *subject)
{
	bool asked = false, found = false;

	for (size_t i = 0; i < args->count; i++) {
		const struct hs_value *value = &args->values[i];

		if (strcmp(value->option->name, filter->option) != 0)
			continue;
		if (value->negated && filter->matches(subject, value->text))
			return false;
		asked = asked || !value->negated;
		found = found || (!value->negated && filter->matches(subject, value->text));
	}
	return !asked || found;
}

bool hs_filters_keep(const struct hs_filter *filters, const struct hs_args *args,
		     const json_t *subject)
{
	for (; filters->option; filters++) {
		if (!holds(filters, args, subject))
			return false;
	}
	return true;
}

bool hs_filters_given(const struct hs_filter *filters, const struct hs_args *args)
{
	for (; filters->option; filters++) {
		if (hs_args_given(args, filters->option))
			return true;
	}
	return false;
}

/* What is absent matches no pattern, not even "*". */
static bool text_matches(const json_t *subject, const char *path, const char *pattern)
{
	const char *text = hs_doc_text(subject, path);

	return *text && !fnmatch(pattern, text, 0);
}

static bool number_is(const json_t *subject, const char *path, const char *value)
{
	double number;

	return hs_doc_has_number(subject, path, &number) && number == (double)atoi(value);
}

bool hs_match_client(const json_t *subject, const char *value)
{
	return text_matches(subject, "client.name", value);
}

bool hs_match_server(const json_t *subject, const char *value)
{
	return text_matches(subject, "server.name", value);
}

bool hs_match_name(const json_t *subject, const char *value)
{
	return hs_match_client(subject, value) || hs_match_server(subject, value);
}

bool hs_match_namespace(const json_t *subject, const char *value)
{
	return text_matches(subject, "client.namespace", value) ||
	       text_matches(subject, "server.namespace", value);
}

bool hs_match_server_port(const json_t *subject, const char *value)
{
	return number_is(subject, "server.port", value);
}

bool hs_match_port(const json_t *subject, const char *value)
{
	return number_is(subject, "client.port", value) || hs_match_server_port(subject, value);
}

bool hs_match_pid(const json_t *subject, const char *value)
{
	return number_is(subject, "client.pid", value) || number_is(subject, "server.pid", value);
}

bool hs_match_ip(const json_t *subject, const char *value)
{
	struct hs_network network;

	return hs_network_parse(value, &network) &&
	       (hs_network_has(&network, hs_doc_text(subject, "client.address")) ||
		hs_network_has(&network, hs_doc_text(subject, "server.address")));
}
