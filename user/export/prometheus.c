/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /metrics: one row per family, in the order of the scrape. A family with labels of its own
 * beside those of its series (a reason, a sender) has samples for what happened only; the rest
 * is there from the start. docs/METRICS.md says what each means.
 */
#include "export/prometheus.h"

#include <errno.h>
#include <stdbool.h>

#include "export/prometheus_page.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct hs_family_type counter = { "counter", "counter", "_total" };
static const struct hs_family_type gauge = { "gauge", "gauge", "" };
static const struct hs_family_type histogram = { "histogram", "histogram", "" };
static const struct hs_family_type info = { "info", "gauge", "_info" };

#define EDGE(member) HS_SERIES_EDGES, offsetof(struct hs_edge, member), NULL
#define EDGE_HISTOGRAM(member, buckets)                                                            \
	HS_SERIES_EDGES, offsetof(struct hs_edge, member), &(buckets)
#define CALLS(of) HS_SERIES_##of, 0, NULL
#define BODIES(of, member) HS_SERIES_##of, offsetof(struct hs_body_sizes, member), NULL
#define L7_LOSS(loss) 0, HS_L7_LOSS_##loss, NULL
#define LISTEN(member) HS_SERIES_LISTENERS, offsetof(struct hs_listen, member), NULL
#define SELF(member) HS_SERIES_SELF, offsetof(struct hs_self, member), NULL

static const struct hs_family families[] = {
	{ "hopscope_tcp_connects", &counter, NULL, "Connections established.", hs_write_numbers,
	  EDGE(connects) },
	{ "hopscope_tcp_connect_failures", &counter, NULL,
	  "Connects that failed, by what the application got.", hs_write_failures, EDGE(failures) },
	{ "hopscope_tcp_connects_cancelled", &counter, NULL,
	  "Connects the application closed before the first SYN was sent again.", hs_write_numbers,
	  EDGE(cancelled) },
	{ "hopscope_tcp_connection_failures", &counter, NULL,
	  "Established connections that failed, by what the application got.", hs_write_failures,
	  EDGE(connection_failures) },
	{ "hopscope_tcp_stage_failures", &counter, NULL,
	  "Both, by how far the connection had come.", hs_write_stage_failures, EDGE(failures) },
	{ "hopscope_tcp_connect_duration_seconds", &histogram, "seconds",
	  "From the SYN to the established connection.", hs_write_histograms,
	  EDGE_HISTOGRAM(connect_duration, hs_buckets_handshake) },
	{ "hopscope_tcp_accept_delay_seconds", &histogram, "seconds",
	  "From the established connection to accept() at the server.", hs_write_histograms,
	  EDGE_HISTOGRAM(accept_delay, hs_buckets_handshake) },
	{ "hopscope_tcp_connection_duration_seconds", &histogram, "seconds",
	  "Life of closed connections, from established to closed.", hs_write_histograms,
	  EDGE_HISTOGRAM(connection_duration, hs_buckets_connection) },
	{ "hopscope_tcp_active_connections", &gauge, NULL, "Connections that are open now.",
	  hs_write_numbers, EDGE(active) },
	{ "hopscope_tcp_stuck_connections", &gauge, NULL, "Connections that hang now, by cause.",
	  hs_write_stuck, EDGE(stuck) },
	{ "hopscope_tcp_sent_bytes", &counter, "bytes",
	  "Payload from client to server, acknowledged.", hs_write_numbers, EDGE(sent_bytes) },
	{ "hopscope_tcp_received_bytes", &counter, "bytes",
	  "Payload from server to client, acknowledged.", hs_write_numbers, EDGE(received_bytes) },
	{ "hopscope_tcp_retransmits", &counter, NULL,
	  "Segments sent again, by the end that sent them and why.", hs_write_retransmits,
	  EDGE(retransmits) },
	{ "hopscope_tcp_resets", &counter, NULL, "RST segments, by the end that sent them.",
	  hs_write_resets, EDGE(resets) },
	{ "hopscope_tcp_rtt_seconds", &histogram, "seconds",
	  "Smoothed round-trip time of connections, when sampled and at their close.",
	  hs_write_histograms, EDGE_HISTOGRAM(rtt, hs_buckets_rtt) },

	{ "hopscope_network_duration_seconds", &histogram, "seconds",
	  "Of an answered call: a round trip between its two ends.", hs_write_histograms,
	  EDGE_HISTOGRAM(parts[HS_PART_NETWORK], hs_buckets_part) },
	{ "hopscope_queue_duration_seconds", &histogram, "seconds",
	  "Of an answered call: the request had arrived, and its server had not begun to read it.", hs_write_histograms,
	  EDGE_HISTOGRAM(parts[HS_PART_QUEUE], hs_buckets_part) },
	{ "hopscope_service_duration_seconds", &histogram, "seconds",
	  "Of an answered call: from when its server began to read it to the first byte of the answer.",
	  hs_write_histograms, EDGE_HISTOGRAM(parts[HS_PART_SERVICE], hs_buckets_part) },

	{ "http_server_request_duration_seconds", &histogram, "seconds",
	  "HTTP requests as the server has them, to the last byte of the answer.", hs_write_call_durations,
	  CALLS(HTTP_SERVER) },
	{ "http_server_request_body_size_bytes", &histogram, "bytes", "Bodies of HTTP requests that have one.",
	  hs_write_body_sizes, BODIES(HTTP_SERVER, request) },
	{ "http_server_response_body_size_bytes", &histogram, "bytes", "Bodies of HTTP responses that have one.",
	  hs_write_body_sizes, BODIES(HTTP_SERVER, response) },
	{ "http_client_request_duration_seconds", &histogram, "seconds",
	  "HTTP requests to servers beyond this node, as the client has them.", hs_write_call_durations,
	  CALLS(HTTP_CLIENT) },
	{ "http_client_request_body_size_bytes", &histogram, "bytes",
	  "Bodies of HTTP requests to servers beyond this node.", hs_write_body_sizes,
	  BODIES(HTTP_CLIENT, request) },
	{ "http_client_response_body_size_bytes", &histogram, "bytes",
	  "Bodies of HTTP responses of servers beyond this node.", hs_write_body_sizes,
	  BODIES(HTTP_CLIENT, response) },
	{ "rpc_server_call_duration_seconds", &histogram, "seconds", "RPCs as the server has them.",
	  hs_write_call_durations, CALLS(RPC_SERVER) },
	{ "rpc_client_call_duration_seconds", &histogram, "seconds",
	  "RPCs to servers beyond this node, as the client has them.", hs_write_call_durations,
	  CALLS(RPC_CLIENT) },
	{ "db_client_operation_duration_seconds", &histogram, "seconds", "Operations on databases.",
	  hs_write_call_durations, CALLS(DB) },
	{ "dns_lookup_duration_seconds", &histogram, "seconds", "DNS queries, to their answer.",
	  hs_write_call_durations, CALLS(DNS) },
	{ "hopscope_tls_handshake_duration_seconds", &histogram, "seconds", "TLS handshakes that succeeded.",
	  hs_write_call_durations, CALLS(TLS) },
	{ "hopscope_tls_handshake_failures", &counter, NULL, "TLS handshakes that did not.",
	  hs_write_call_counts, CALLS(TLS_FAILED) },
	{ "traces_service_graph_request", &counter, NULL, "Calls of all protocols between two services.",
	  hs_write_call_counts, CALLS(GRAPH) },
	{ "traces_service_graph_request_failed", &counter, NULL, "Calls that failed.",
	  hs_write_failed_counts, CALLS(GRAPH) },
	{ "traces_service_graph_request_server_seconds", &histogram, "seconds",
	  "Durations of calls, seen at the server.", hs_write_server_durations, CALLS(GRAPH) },
	{ "traces_service_graph_request_client_seconds", &histogram, "seconds",
	  "Durations of calls, seen at the client: the server is beyond this node.",
	  hs_write_client_durations, CALLS(GRAPH) },
	{ "hopscope_dns_retries", &counter, NULL, "DNS queries that were sent again.", hs_write_lookups,
	  EDGE(lookups.retries) },
	{ "hopscope_dns_search_misses", &counter, NULL,
	  "DNS queries for names that do not exist and were guesses from a search list.", hs_write_lookups,
	  EDGE(lookups.search_misses) },

	{ "hopscope_tcp_listen_backlog", &gauge, NULL, "Connections that wait for accept().",
	  hs_write_numbers, LISTEN(backlog) },
	{ "hopscope_tcp_listen_backlog_limit", &gauge, NULL,
	  "How many may wait before the kernel drops.", hs_write_numbers, LISTEN(backlog_limit) },
	{ "hopscope_tcp_listen_drops", &counter, NULL,
	  "Connections and packets the listener dropped.", hs_write_numbers, LISTEN(drops) },
	{ "hopscope_tcp_listen_overflows", &counter, NULL,
	  "Handshakes the listener dropped because its accept queue was full.", hs_write_numbers,
	  LISTEN(overflows) },
	{ "hopscope_tcp_listen_accept_delay_seconds", &histogram, "seconds",
	  "From the established connection to accept(), of all clients.", hs_write_histograms,
	  HS_SERIES_LISTENERS, offsetof(struct hs_listen, accept_delay), &hs_buckets_handshake },
	{ "hopscope_tcp_listen_syn_queue", &gauge, NULL, "Handshakes under way at the listener.",
	  hs_write_numbers, LISTEN(syn_queue) },

	{ "hopscope_dropped", &counter, NULL,
	  "What the agent lost or left out, by the stage that did.", hs_write_dropped, 0, 0, NULL },
	{ "hopscope_hook_attached", &gauge, NULL, "Whether the kernel hook is attached.",
	  hs_write_hooks, 0, 0, NULL },
	{ "hopscope_hook", &info, NULL, "Which way of attaching the hook is in use.",
	  hs_write_rungs, 0, 0, NULL },
	{ "hopscope_build", &info, NULL, "What was built.", hs_write_build, 0, 0, NULL },
	{ "hopscope_events", &counter, NULL, "Event records read, by kind.", hs_write_events, 0, 0,
	  NULL },
	{ "hopscope_l7_calls", &counter, NULL, "Calls read from payload, by protocol.", hs_write_l7_calls, 0, 0,
	  NULL },
	{ "hopscope_l7_undecoded_bytes", &counter, "bytes", "Payload that was not seen or not understood.",
	  hs_write_l7_losses, L7_LOSS(BYTES) },
	{ "hopscope_l7_undecoded_messages", &counter, NULL, "Messages that could not be read.",
	  hs_write_l7_losses, L7_LOSS(MESSAGES) },
	{ "hopscope_l7_lost_calls", &counter, NULL,
	  "Calls given up: too many at once, or the place was lost amid them.", hs_write_l7_losses,
	  L7_LOSS(CALLS) },
	{ "hopscope_l7_lost_segments", &counter, NULL, "Holes in streams that were given up.",
	  hs_write_l7_losses, L7_LOSS(SEGMENTS) },
	{ "hopscope_accepts_unobserved", &counter, NULL,
	  "Accepted connections whose accept() was not seen.", hs_write_reals,
	  SELF(accepts_unobserved) },
	{ "hopscope_snapshot_duration_seconds", &gauge, "seconds",
	  "Time the last pass over all sockets took.", hs_write_reals, SELF(snapshot_seconds) },
	{ "hopscope_snapshots", &counter, NULL, "Passes over all sockets.", hs_write_reals,
	  SELF(snapshots) },
	{ "hopscope_connections", &gauge, NULL, "Live connections in the model.", hs_write_reals,
	  SELF(connections) },
	{ "hopscope_edges", &gauge, NULL, "Edges of the call graph.", hs_write_reals, SELF(edges) },
	{ "hopscope_map_memory_bytes", &gauge, "bytes", "Kernel memory of the BPF maps.",
	  hs_write_reals, SELF(map_bytes) },
	{ "hopscope_ready", &gauge, NULL,
	  "Whether hooks are attached and the first snapshot is done.", hs_write_reals,
	  SELF(ready) },

	{ "process_cpu_seconds", &counter, "seconds", "User and system CPU time of the agent.",
	  hs_write_reals, SELF(cpu_seconds) },
	{ "process_resident_memory_bytes", &gauge, "bytes", "Resident memory of the agent.",
	  hs_write_reals, SELF(resident_bytes) },
	{ "process_virtual_memory_bytes", &gauge, "bytes", "Virtual memory of the agent.",
	  hs_write_reals, SELF(virtual_bytes) },
	{ "process_open_fds", &gauge, NULL, "Open file descriptors of the agent.", hs_write_reals,
	  SELF(open_fds) },
	{ "process_max_fds", &gauge, NULL, "How many file descriptors the agent may open.",
	  hs_write_reals, SELF(max_fds) },
	{ "process_start_time_seconds", &gauge, "seconds",
	  "When the agent started, in seconds since 1970.", hs_write_reals, SELF(start_seconds) },
};

static void put_header(const struct hs_page *page, const struct hs_family *family,
		       const char *keyword, const char *text)
{
	bool openmetrics = page->exposition == HS_EXPOSITION_OPENMETRICS;

	fprintf(page->out, "# %s %s%s %s\n", keyword, family->name,
		openmetrics ? "" : family->type->suffix, text);
}

static void write_family(const struct hs_page *page, const struct hs_family *family)
{
	bool openmetrics = page->exposition == HS_EXPOSITION_OPENMETRICS;

	put_header(page, family, "HELP", family->help);
	put_header(page, family, "TYPE",
		   openmetrics ? family->type->openmetrics : family->type->text);
	if (openmetrics && family->unit)
		put_header(page, family, "UNIT", family->unit);
	family->write(page, family);
}

static void write_page(const struct hs_page *page)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		write_family(page, &families[i]);
	if (page->exposition == HS_EXPOSITION_OPENMETRICS)
		fputs_unlocked("# EOF\n", page->out);
}

int hs_prometheus_write(FILE *out, enum hs_exposition exposition, const struct hs_view *view)
{
	struct hs_page page = { .out = out, .exposition = exposition, .view = view };
	struct hs_series self = { .item = &page.self };
	int error = hs_series_of_edges(view->model, &page.sets[HS_SERIES_EDGES]);

	if (!error)
		error = hs_series_of_listeners(view->model, &page.sets[HS_SERIES_LISTENERS]);
	if (!error)
		error = hs_series_of_calls(view->model, page.sets);
	if (!error) {
		hs_self_read(view, &page.self);
		page.self.edges = (double)page.sets[HS_SERIES_EDGES].count;
		page.sets[HS_SERIES_SELF] = (struct hs_series_set){ .series = &self, .count = 1 };
		write_page(&page);
		error = fflush_unlocked(out) || ferror_unlocked(out) ? -EIO : 0;
	}
	page.sets[HS_SERIES_SELF] = (struct hs_series_set){ 0 };
	for (int of = 0; of < HS_SERIES_MAX; of++)
		hs_series_free(&page.sets[of]);
	return error;
}
