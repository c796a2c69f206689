/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_EXPORT_PROMETHEUS_H
#define HS_EXPORT_PROMETHEUS_H

#include <stdio.h>

#include "export/view.h"

enum hs_exposition {
	HS_EXPOSITION_TEXT,        /* text/plain; version=0.0.4 */
	HS_EXPOSITION_OPENMETRICS, /* application/openmetrics-text; version=1.0.0 */
};

/* What an Accept header asks for; NULL: text. q-values are obeyed (RFC 9110, 12.5.1). */
enum hs_exposition hs_exposition_negotiate(const char *accept);
const char *hs_exposition_content_type(enum hs_exposition exposition);

/* Writes all families. docs/METRICS.md lists them. 0 or -EIO. */
int hs_prometheus_write(FILE *out, enum hs_exposition exposition, const struct hs_view *view);

#endif
