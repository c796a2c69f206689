/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters of the reading commands, as hubble does it: values of one option are alternatives,
 * different options must all hold, and what follows --not must not.
 */
#ifndef HS_CMD_FILTER_H
#define HS_CMD_FILTER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/options.h"

struct hs_filter {
	const char *option; /* NULL ends a table */
	bool (*matches)(const json_t *subject, const char *value);
};

/* subject: an item of a list, or an event. */
bool hs_filters_keep(const struct hs_filter *filters, const struct hs_args *args,
		     const json_t *subject);

/* Whether the user gave any of them. */
bool hs_filters_given(const struct hs_filter *filters, const struct hs_args *args);

/*
 * What commands have in common. A name is a shell wildcard; "name", "ip", "port", "pid"
 * and "namespace" look at both ends, "client" and "server" at one.
 */
bool hs_match_name(const json_t *subject, const char *value);
bool hs_match_client(const json_t *subject, const char *value);
bool hs_match_server(const json_t *subject, const char *value);
bool hs_match_namespace(const json_t *subject, const char *value);
bool hs_match_port(const json_t *subject, const char *value);
bool hs_match_pid(const json_t *subject, const char *value);
bool hs_match_ip(const json_t *subject, const char *value); /* base/network.h */
bool hs_match_server_port(const json_t *subject, const char *value);

#endif
