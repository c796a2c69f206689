/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The API's documents, see docs/API.md. Each call writes one whole document. */
#ifndef HS_EXPORT_JSON_H
#define HS_EXPORT_JSON_H

#include <stdio.h>

#include "export/view.h"

/*
 * Writes the document called name ("graph", "routes", "requests", "connections", "listeners",
 * "findings", "status") to out.
 * 0, -ENOENT when there is no such document, -ENOMEM or -EIO.
 */
int hs_json_document(FILE *out, const char *name, const struct hs_view *view);

/* One event, or one request, as one line, '\n' included. 0 or -ENOMEM. */
int hs_json_event(FILE *out, const struct hs_log_entry *entry, const struct hs_clock *clock);
int hs_json_request(FILE *out, const struct hs_request *request, const struct hs_clock *clock);

/*
 * /api/v1/requests in pieces: its head up to '[', then items with ',' between them; "]}\n" ends it.
 */
void hs_json_requests_head(FILE *out, const struct hs_view *view);
void hs_json_request_item(FILE *out, const struct hs_request *request, const struct hs_clock *clock);

#endif
