/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all versions of HTTP have in common: RFC 9110. */
#ifndef HS_L7_HTTP_H
#define HS_L7_HTTP_H

#include "l7/call.h"

extern const char *const hs_http_methods[]; /* NULL behind the last */

/* The call's operation: "_OTHER" for a method that is not known, as the semantic conventions have it. */
void hs_http_set_method(struct hs_call *call, const uint8_t *method, size_t length);

/* The call's target: the path of a request target in any of its forms (RFC 9112, 3.2), without query. */
void hs_http_set_path(struct hs_call *call, const uint8_t *target, size_t length);

#endif
