/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the path of a request to the route it belongs to: what names one thing among many is folded. */
#ifndef HS_MODEL_ROUTE_H
#define HS_MODEL_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#define HS_ROUTE_LEN 160
#define HS_ROUTE_PATTERNS_MAX 256

/*
 * "/users/42/orders/0b6c…" gives "/users/{id}/orders/{uuid}". A segment is folded when it is a number, a
 * UUID, a hash or token (long, with digits), a date, an address (with "@"), or too long to be a name. What does
 * not fit into size ends in "/~more". Cheap enough for every request.
 */
void hs_route_of_path(const char *path, char *route, size_t size);

/*
 * Routes that the user names: "/users/{name}/orders", "/shop/{any}/cart". A segment is literal, or {any word} or
 * an asterisk, which stand for one segment, whatever it is.
 */
struct hs_route_patterns;
struct hs_route_patterns *hs_route_patterns_new(void); /* NULL when memory is short */
void hs_route_patterns_free(struct hs_route_patterns *patterns); /* NULL is fine */
/*
 * Behind those that are there; text is copied. 0, or -EINVAL (it is no pattern), -ENAMETOOLONG,
 * -ENOSPC (HS_ROUTE_PATTERNS_MAX are there) or -ENOMEM.
 */
int hs_route_patterns_add(struct hs_route_patterns *patterns, const char *text);
/* The first that matches the whole path, to route; false: none does. patterns may be NULL. */
bool hs_route_patterns_match(const struct hs_route_patterns *patterns, const char *path, char route[HS_ROUTE_LEN]);

#endif
