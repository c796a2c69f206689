// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "cmd/document.h"
#include "cmd/explain.h"

/* The words of user/model/cause.c and names.c: a test holds them together. */
const char *const hs_explain_causes[] = {
	"unknown",
	"no_answer",
	"dropped_egress",
	"dropped_ingress",
	"accept_queue_full",
	"syn_queue_full",
	"synack_lost",
	"no_listener",
	"rejected",
	"neighbor_failed",
	"no_route",
	"host_unreachable",
	"ports_exhausted",
	"address_in_use",
	"denied_by_policy",
	"peer_not_reading",
	"local_not_reading",
	"path_loss",
	"mtu_blackhole",
	"peer_silent",
	"stale_connection",
	"peer_process_died",
	"reset_unread_data",
	"reset_by_linger",
	"reset_on_overflow",
	"conntrack_full",
	"fd_exhausted",
	"close_wait_leak",
	"pool_exhausted",
	"server_thinking",
	"memory_pressure",
	"backlog_dropped",
	"rp_filter",
	"timestamp_rejected",
	NULL,
};

const char *const hs_explain_reasons[] = {
	"refused", "timed_out", "gave_up", "unreachable", "no_ports", "in_use",
	"denied",  "reset",	"other",   "stuck",	  "aborted",  NULL,
};

static bool match_cause(const json_t *finding, const char *value)
{
	return !strcmp(hs_doc_text(finding, "cause"), value);
}

static bool match_reason(const json_t *finding, const char *value)
{
	return !strcmp(hs_doc_text(finding, "reason"), value);
}

static bool match_stuck(const json_t *finding, const char *value)
{
	(void)value;
	return hs_doc_number(finding, "stuck") > 0;
}

const struct hs_filter hs_explain_filters[] = {
	{ "cause", match_cause },
	{ "reason", match_reason },
	{ "stuck", match_stuck },
	{ "name", hs_match_name },
	{ "client", hs_match_client },
	{ "server", hs_match_server },
	{ "ip", hs_match_ip },
	{ "port", hs_match_port },
	{ "pid", hs_match_pid },
	{ "namespace", hs_match_namespace },
	{ NULL },
};
