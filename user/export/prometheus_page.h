/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scrape under way: what the table of families in prometheus.c is written from. */
#ifndef HS_EXPORT_PROMETHEUS_PAGE_H
#define HS_EXPORT_PROMETHEUS_PAGE_H

#include "export/prometheus.h"

/* A labelled thing; several families have one sample of it each. */
struct hs_series {
	const char *labels; /* client="a",server="b" without braces, escaped; not NUL-ended */
	size_t len;
	const void *item;   /* struct hs_edge, hs_listen, hs_calls or hs_self */
};

struct hs_series_set {
	struct hs_series *series;
	size_t count;
	char *text;  /* holds the labels */
	void *items; /* owned, or NULL */
};

/* Listeners with the same labels: workers that share a port are one series, summed. */
struct hs_listen {
	uint64_t backlog, backlog_limit, syn_queue, drops, overflows;
	struct hs_histogram accept_delay;
};

/* Of ourselves, NaN where it is not known. */
struct hs_self {
	double accepts_unobserved, snapshots, snapshot_seconds, connections, edges, map_bytes,
		ready;
	double cpu_seconds, resident_bytes, virtual_bytes, open_fds, max_fds, start_seconds;
};

enum hs_series_of {
	HS_SERIES_EDGES,
	HS_SERIES_LISTENERS,
	HS_SERIES_SELF,
	/* Kinds of calls (struct hs_calls), by what the semantic conventions call them. */
	HS_SERIES_HTTP_SERVER,
	HS_SERIES_HTTP_CLIENT,
	HS_SERIES_RPC_SERVER,
	HS_SERIES_RPC_CLIENT,
	HS_SERIES_DB,
	HS_SERIES_DNS,
	HS_SERIES_TLS,
	HS_SERIES_TLS_FAILED,
	HS_SERIES_GRAPH, /* the same again, by client and server */
	HS_SERIES_MAX
};

/* OpenMetrics names a counter or an info without its suffix; in the old text it has it. */
struct hs_family_type {
	const char *openmetrics, *text;
	const char *suffix; /* of its samples; a histogram has three */
};

struct hs_page;

struct hs_family {
	const char *name; /* as in OpenMetrics */
	const struct hs_family_type *type;
	const char *unit; /* the end of name, or NULL */
	const char *help;
	void (*write)(const struct hs_page *page, const struct hs_family *family);
	/* for writers of one number or histogram per series: where it is */
	enum hs_series_of of;
	size_t offset;
	const struct hs_buckets *buckets;
};

struct hs_page {
	FILE *out;
	enum hs_exposition exposition;
	const struct hs_view *view;
	struct hs_series_set sets[HS_SERIES_MAX];
	struct hs_self self;
};

/* 0 or -ENOMEM. The set is to be freed in both cases. */
int hs_series_of_edges(const struct hs_model *model, struct hs_series_set *set);
int hs_series_of_listeners(const struct hs_model *model, struct hs_series_set *set);
/* All sets of calls: in the order of their labels, the same ones several times, one behind the other. */
int hs_series_of_calls(const struct hs_model *model, struct hs_series_set *sets);
void hs_series_free(struct hs_series_set *set);

/* How a set is made: room for count series and a stream for their labels, each ended by NUL. NULL: no memory. */
FILE *hs_series_open(struct hs_series_set *set, size_t count, size_t *size);
void hs_series_label(FILE *out, const char *name, const char *value, char end); /* end '\0': none */
void hs_series_port(FILE *out, uint64_t port, char end);                        /* server_port */
int hs_series_close(FILE *out, struct hs_series_set *set); /* 0 or -ENOMEM */
int hs_series_compare(const void *left, const void *right); /* by labels, for qsort() */

/* Pieces of writers. Bounds are written the same in both formats: negotiation must not change a series. */
struct hs_bounds {
	const struct hs_buckets *buckets;
	char text[HS_HISTOGRAM_BUCKETS + 1][48];
};
void hs_bounds_make(struct hs_bounds *bounds, const struct hs_buckets *buckets);
void hs_put_number(const struct hs_page *page, const struct hs_family *family, const struct hs_series *series,
		   const char *extra, uint64_t number);
void hs_put_histogram(const struct hs_page *page, const struct hs_family *family, const struct hs_series *series,
		      const struct hs_histogram *histogram, const struct hs_bounds *bounds);

/* Writers of a family's samples: one per series … */
void hs_write_numbers(const struct hs_page *page, const struct hs_family *family); /* uint64_t */
void hs_write_reals(const struct hs_page *page,
		    const struct hs_family *family); /* double; NaN: none */
void hs_write_histograms(const struct hs_page *page, const struct hs_family *family);
/* … and those with labels of their own. */
void hs_write_failures(const struct hs_page *page, const struct hs_family *family);
void hs_write_stage_failures(const struct hs_page *page, const struct hs_family *family);
void hs_write_stuck(const struct hs_page *page, const struct hs_family *family);
void hs_write_retransmits(const struct hs_page *page, const struct hs_family *family);
void hs_write_resets(const struct hs_page *page, const struct hs_family *family);
void hs_write_dropped(const struct hs_page *page, const struct hs_family *family);
void hs_write_hooks(const struct hs_page *page, const struct hs_family *family);
void hs_write_rungs(const struct hs_page *page, const struct hs_family *family);
void hs_write_build(const struct hs_page *page, const struct hs_family *family);
void hs_write_lookups(const struct hs_page *page, const struct hs_family *family);
void hs_write_events(const struct hs_page *page, const struct hs_family *family);
void hs_write_l7_calls(const struct hs_page *page, const struct hs_family *family);
void hs_write_l7_losses(const struct hs_page *page, const struct hs_family *family); /* offset: which */
/* Of calls: durations; body sizes, offset says which; how many. */
void hs_write_call_durations(const struct hs_page *page, const struct hs_family *family);
void hs_write_body_sizes(const struct hs_page *page, const struct hs_family *family);
void hs_write_call_counts(const struct hs_page *page, const struct hs_family *family);
void hs_write_failed_counts(const struct hs_page *page, const struct hs_family *family);
/* … those that were seen at that end. */
void hs_write_server_durations(const struct hs_page *page, const struct hs_family *family);
void hs_write_client_durations(const struct hs_page *page, const struct hs_family *family);

void hs_self_read(const struct hs_view *view, struct hs_self *self);

#endif
