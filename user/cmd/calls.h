/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that show calls have in common: graph, routes, requests. */
#ifndef HS_CMD_CALLS_H
#define HS_CMD_CALLS_H

#include "cmd/listing.h"

/* A part of all as "0", "0.4", "12": percent. text has HS_UNIT_LEN bytes. */
void hs_calls_percent(double ratio, char *text);
/* How bad such a part is. */
enum hs_style hs_calls_style(double ratio);

/* "GET /users/{id}", "SELECT orders", "shop.Cart/Add"; what: the key of its object. */
void hs_calls_name(const json_t *call, const char *what, char *text, size_t size);

/* Filters of a request or a route. */
bool hs_match_status(const json_t *subject, const char *value); /* "404", "5xx", "NOT_FOUND", "failed" … */
bool hs_match_route(const json_t *subject, const char *value);  /* a wildcard; the path itself, too */
bool hs_match_protocol(const json_t *subject, const char *value);
bool hs_match_method(const json_t *subject, const char *value);
bool hs_match_slower(const json_t *subject, const char *value);

#define HS_OPTION_ROUTE                                                                            \
	HS_OPTION_FILTER("route", HS_OPTION_TEXT, "ROUTE",                                         \
			 "its route, table, RPC method or DNS name; * matches all, slashes too")
#define HS_OPTION_PROTOCOL                                                                         \
	HS_OPTION_FILTER("protocol", HS_OPTION_TEXT, "NAME", "it is spoken: http, grpc, redis …")
#define HS_OPTION_METHOD                                                                           \
	HS_OPTION_FILTER("method", HS_OPTION_TEXT, "METHOD", "HTTP method, SQL operation, command")

#endif
