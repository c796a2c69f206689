/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls in the documents. */
#ifndef HS_EXPORT_JSON_CALLS_H
#define HS_EXPORT_JSON_CALLS_H

#include <math.h>

#include "export/json_document.h"

/* What people call it: gRPC is not the protocol that carries it. */
const char *hs_call_protocol_name(const struct hs_protocol *protocol, bool rpc);

/* The part of the calls that failed: of late, or at all when there were none of late. NaN: no calls. */
double hs_call_error_ratio(double rate, double failed_rate, uint64_t calls, uint64_t failed);
double hs_edge_error_ratio(const struct hs_edge *edge);

/* Into the open object of an edge. */
void hs_json_put_calls(struct hs_json *json, const struct hs_edge *edge);

#endif
