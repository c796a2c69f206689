/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model that holds what a test puts into it: the readers of model/model.h over plain lists,
 * so that the exporters are tested without the records that would lead there.
 */
#ifndef FAKE_MODEL_H
#define FAKE_MODEL_H

#include "export/view.h"
#include "model/finding.h"

#define FAKE_LOG 64
#define FAKE_REQUESTS 64

struct fake_connection {
	struct hs_connection connection; /* first */
	struct fake_connection *next;
};

struct hs_model {
	struct hs_model_counters counters;
	uint64_t now_ns;
	struct hs_workload *workloads; /* lists by hh.next, in the order of being added */
	struct hs_edge *edges;
	struct hs_listener *listeners;
	struct hs_process *processes;
	struct hs_finding *findings;
	struct fake_connection *connections;
	size_t connection_count;
	struct hs_log_entry log[FAKE_LOG];
	uint64_t log_next;
	struct hs_request requests[FAKE_REQUESTS];
	uint64_t request_next;
};

/* Protocols of every kind: nobody parses them here. */
extern const struct hs_protocol fake_http, fake_db, fake_dns, fake_tls;

struct hs_model *fake_new(void); /* its time is 1 s */
void fake_free(struct hs_model *model);

/* Made when it is new. All pointers stay valid until fake_free(). */
struct hs_workload *fake_workload(struct hs_model *model, const char *name,
				  enum hs_workload_kind kind);
struct hs_edge *fake_edge(struct hs_model *model, const char *client, const char *server,
			  uint16_t port);
struct hs_listener *fake_listener(struct hs_model *model, const char *server, const char *address,
				  uint16_t port);
void fake_failure(struct hs_failures *failures, enum hs_reason reason, enum hs_cause cause,
		  uint64_t count); /* one kind more */
struct hs_finding *fake_finding(struct hs_model *model, const char *client, const char *server,
				uint16_t port, enum hs_cause cause);
struct hs_process *fake_process(struct hs_model *model, uint32_t pid, const char *comm);
struct hs_connection *fake_connection(struct hs_model *model);
/*
 * count calls "GET /users/{id}" of that kind, of duration_ms each, with 100 bytes out and 2000 back. Change what is
 * to be another: the kind of them is what key then says.
 */
struct hs_calls *fake_calls(struct hs_edge *edge, const struct hs_protocol *protocol, int status, unsigned count,
			    double duration_ms);
struct hs_request *fake_request(struct hs_model *model, const char *client, const char *server, uint16_t port);
struct hs_log_entry *fake_event(struct hs_model *model, enum hs_log_type type);

/* "10.0.0.1" or "::1". */
void fake_address(uint8_t address[16], const char *text);

/* A view of it: two hooks, two stages, ready. Valid until the next call. */
struct hs_view *fake_view(struct hs_model *model);

#endif
