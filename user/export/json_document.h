/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pieces that the documents of docs/API.md share, and the writers of their contents. */
#ifndef HS_EXPORT_JSON_DOCUMENT_H
#define HS_EXPORT_JSON_DOCUMENT_H

#include "export/json_writer.h"
#include "export/view.h"

#define HS_API_VERSION "hopscope/v1"

/* One of the two ends of an edge, a connection or an event. What is NULL or 0 is not known. */
struct hs_json_end {
	const struct hs_workload *workload;
	const uint8_t *address; /* 16 bytes */
	uint16_t port;
	uint32_t pid;
	uint32_t netns;
	const char *comm;
};

extern const char *const hs_json_side[HS_SIDES]; /* "client", "server" */

/* Opens a document and tells its kind, time and node; the caller goes on, and closes it with '}'. */
void hs_json_put_head(struct hs_json *json, const char *kind, const struct hs_view *view);

/* "process", "unit" … */
const char *hs_workload_kind_name(enum hs_workload_kind kind);

void hs_json_put_end(struct hs_json *json, const char *key, const struct hs_json_end *end);
void hs_json_put_histogram(struct hs_json *json, const char *key,
			   const struct hs_histogram *histogram, const struct hs_buckets *buckets);

/* An object with those of HS_RETRANSMIT_MAX counts that are not 0. */
void hs_json_put_retransmits(struct hs_json *json, const char *key, const uint64_t *counts);

/* TCP_ESTABLISHED … as "established"; nothing when it is none. */
void hs_json_put_tcp_state(struct hs_json *json, const char *key, unsigned state);

/* A socket's figures, into the open object. */
void hs_json_put_tcp(struct hs_json *json, const struct hs_tcp *tcp);

/* The process's name, NULL when the model does not know it. */
const char *hs_json_comm(const struct hs_view *view, uint32_t pid);

/* Contents of one document each, after apiVersion, kind, time and node. 0 or -ENOMEM. */
int hs_json_graph(struct hs_json *json, const struct hs_view *view);
int hs_json_connections(struct hs_json *json, const struct hs_view *view);
int hs_json_listeners(struct hs_json *json, const struct hs_view *view);
int hs_json_routes(struct hs_json *json, const struct hs_view *view);
int hs_json_requests(struct hs_json *json, const struct hs_view *view);
int hs_json_findings(struct hs_json *json, const struct hs_view *view);
int hs_json_status(struct hs_json *json, const struct hs_view *view);

/* The arrays of Grafana's node graph panel, from edges in the order of the document. */
int hs_json_panel(struct hs_json *json, const struct hs_edge *const *edges, size_t count);

/* Connects that failed, whatever the reason. */
uint64_t hs_edge_failures(const struct hs_edge *edge);
uint64_t hs_edge_stuck(const struct hs_edge *edge); /* hang now */

#endif
