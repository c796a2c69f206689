/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the path of a request to the route it belongs to: what names one thing among many is folded. */
#ifndef HS_MODEL_ROUTE_H
#define HS_MODEL_ROUTE_H

#include <stddef.h>

#define HS_ROUTE_LEN 160

/*
 * "/users/42/orders/0b6c…" gives "/users/{id}/orders/{uuid}". A segment is folded when it is a number, a
 * UUID, a hash or token (long, with digits), a date, an address (with "@"), or too long to be a name. What does
 * not fit into size ends in "/~more". Cheap enough for every request.
 */
void hs_route_of_path(const char *path, char *route, size_t size);

#endif
