/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_CMD_GRAPH_H
#define HS_CMD_GRAPH_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "cmd/listing.h"

/* A call graph document as Graphviz's digraph, and as Mermaid's flowchart. */
void hs_graph_dot(FILE *out, const json_t *document);
void hs_graph_mermaid(FILE *out, const json_t *document);

/*
 * What failed and what hangs on an edge: "stuck 2, refused 12, broken 3"; before what failed, when
 * it is not NULL, stands the rate: "stuck 2, 0.3/s: refused 12". "" when there is nothing.
 */
void hs_graph_failures(const json_t *edge, const char *rate, char *text, size_t size);

/* An object of counts as text, highest first: "refused 12, timed_out 3"; "" when there are none. */
void hs_graph_counts(const json_t *counts, char *text, size_t size);

extern const struct hs_listing hs_graph_listing;

#endif
