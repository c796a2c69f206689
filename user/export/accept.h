/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Accept family of headers: RFC 9110, 12.4 and 12.5. */
#ifndef HS_EXPORT_ACCEPT_H
#define HS_EXPORT_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

struct hs_accept {
	const char *name;   /* a media range or a coding, name_len bytes */
	size_t name_len;
	const char *params; /* what follows its first ';', params_len bytes */
	size_t params_len;
	unsigned quality;   /* thousandths; 1000 when there is none or it is malformed */
};

/* Take the next item off header. False at the end. */
bool hs_accept_next(const char **header, struct hs_accept *item);

/* The name is word, whatever the case. */
bool hs_accept_is(const struct hs_accept *item, const char *word);

/* The value of a parameter, without quotes; NULL when it is not there. */
const char *hs_accept_param(const struct hs_accept *item, const char *name, size_t *len);

/* Whether an Accept-Encoding header (NULL: none) asks for gzip rather than for nothing. */
bool hs_accept_gzip(const char *header);

#endif
