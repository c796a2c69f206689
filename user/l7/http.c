// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/http.h"

#include <string.h>
#include <strings.h>

#include "l7/protocol.h"

const char *const hs_http_methods[] = {
	"GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE",
	NULL,
};

void hs_http_set_method(struct hs_call *call, const uint8_t *method, size_t length)
{
	for (const char *const *known = hs_http_methods; *known; known++) {
		if (strlen(*known) == length && !strncasecmp(*known, (const char *)method, length)) {
			strcpy(call->operation, *known);
			return;
		}
	}
	strcpy(call->operation, "_OTHER");
}

void hs_http_set_path(struct hs_call *call, const uint8_t *target, size_t length)
{
	const uint8_t *end = target + length, *query, *path = target;

	if (length && target[0] != '/' && target[0] != '*') {
		const uint8_t *authority = memmem(target, length, "://", 3);

		call->target[0] = '\0';
		if (!authority) /* CONNECT names who it wants to reach, and no path */
			return;
		path = memchr(authority + 3, '/', end - authority - 3);
		if (!path) {
			strcpy(call->target, "/");
			return;
		}
	}
	for (query = path; query < end && *query != '?' && *query != '#'; query++)
		;
	hs_call_text(call->target, sizeof(call->target), path, query - path);
}
