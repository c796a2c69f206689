/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The API's documents, see docs/API.md. Each call writes one whole document. */
#ifndef HS_EXPORT_JSON_H
#define HS_EXPORT_JSON_H

#include <stdio.h>

#include "export/view.h"

/*
 * Writes the document called name ("graph", "connections", "listeners", "findings",
 * "status") to out.
 * 0, -ENOENT when there is no such document, -ENOMEM or -EIO.
 */
int hs_json_document(FILE *out, const char *name, const struct hs_view *view);

/* One event as one line, '\n' included. 0 or -ENOMEM. */
int hs_json_event(FILE *out, const struct hs_log_entry *entry, const struct hs_clock *clock);

#endif
