// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "base/network.h"
#include "cmd/document.h"
#include "cmd/observe.h"

const char *const hs_observe_types[] = { "connect",    "accept", "close", "failure",
					 "retransmit", "reset",	 "error", NULL };

const char *const hs_observe_reasons[] = { "refused",  "timed_out", "gave_up", "unreachable",
					   "no_ports", "in_use",    "denied",  "reset",
					   "other",    NULL };

static bool match_type(const json_t *event, const char *value)
{
	return !strcmp(hs_doc_text(event, "type"), value);
}

static bool match_reason(const json_t *event, const char *value)
{
	return !strcmp(hs_doc_text(event, "reason"), value);
}

static bool ip_matches(const json_t *event, const char *path, const char *value)
{
	struct hs_network network;

	return hs_network_parse(value, &network) &&
	       hs_network_has(&network, hs_doc_text(event, path));
}

static bool match_from_ip(const json_t *event, const char *value)
{
	return ip_matches(event, "client.address", value);
}

static bool match_to_ip(const json_t *event, const char *value)
{
	return ip_matches(event, "server.address", value);
}

static bool match_from_port(const json_t *event, const char *value)
{
	return hs_doc_number(event, "client.port") == (double)atoi(value);
}

const struct hs_filter hs_observe_filters[] = {
	{ "type", match_type },		   { "reason", match_reason },
	{ "name", hs_match_name },	   { "from-name", hs_match_client },
	{ "to-name", hs_match_server },	   { "ip", hs_match_ip },
	{ "from-ip", match_from_ip },	   { "to-ip", match_to_ip },
	{ "port", hs_match_port },	   { "from-port", match_from_port },
	{ "to-port", hs_match_server_port }, { "pid", hs_match_pid },
	{ "namespace", hs_match_namespace }, { NULL },
};
