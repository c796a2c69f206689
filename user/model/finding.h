/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings: what failed or hangs, why, how sure we are, and what shows it. One finding stands
 * for all connections of one edge that failed the same way; it keeps the latest of them in full.
 *
 * Three answers, never mixed: reason is what the application got (enum hs_reason), ended_by
 * which timer or actor ended it, cause why. docs/FAILURES.md describes every cause.
 */
#ifndef HS_MODEL_FINDING_H
#define HS_MODEL_FINDING_H

#include "model/model.h"

enum hs_ended_by {
	HS_ENDED_PENDING,              /* it hangs, nobody has ended it yet */
	HS_ENDED_APPLICATION,
	HS_ENDED_SYN_RETRIES,
	HS_ENDED_USER_TIMEOUT,
	HS_ENDED_KEEPALIVE,
	HS_ENDED_RETRANSMISSION_LIMIT,
	HS_ENDED_ZERO_WINDOW_LIMIT,
	HS_ENDED_PEER,
	HS_ENDED_LOCAL,                /* the kernel here, at once */
	HS_ENDED_MAX,
};

enum hs_confidence {
	HS_CONFIDENCE_UNKNOWN,  /* of HS_CAUSE_UNKNOWN only */
	HS_CONFIDENCE_INFERRED, /* the best explanation of what was seen */
	HS_CONFIDENCE_PROVED,   /* the deciding signal itself was seen */
};

/* The words for metrics and JSON: "syn_retries", "proved", "connect", "accept_queue_full" … */
const char *hs_ended_by_name(enum hs_ended_by ended_by);
const char *hs_confidence_name(enum hs_confidence confidence);
const char *hs_stage_name(enum hs_finding_stage stage);
const char *hs_cause_name(enum hs_cause cause);
const char *hs_cause_summary(enum hs_cause cause); /* one sentence: what happened */
const char *hs_cause_remedy(enum hs_cause cause);  /* what to do: commands and settings by name */
/* The cause of that name, or -1. */
int hs_cause_of_name(const char *name);

enum hs_evidence_unit {
	HS_EVIDENCE_NONE,    /* a number: of packets, attempts, bits … as signal says */
	HS_EVIDENCE_SECONDS,
	HS_EVIDENCE_BYTES,
	HS_EVIDENCE_TEXT,    /* text, not number */
};

#define HS_NO_SIDE HS_SIDES /* about neither end */

struct hs_evidence {
	const char *signal; /* snake_case: "syn_retransmits", "listen_overflows" */
	enum hs_side side;  /* the end where it was seen, or HS_NO_SIDE */
	enum hs_evidence_unit unit;
	double number;
	char text[48];
};

enum hs_moment_type {
	HS_MOMENT_SYN_SENT,
	HS_MOMENT_SYN_SENT_AGAIN,     /* number: which retry */
	HS_MOMENT_SYN_ACK_SENT_AGAIN,
	HS_MOMENT_ESTABLISHED,
	HS_MOMENT_ACCEPTED,
	HS_MOMENT_SENT_AGAIN,         /* text: "rto", "tail_loss_probe" …; number: attempt */
	HS_MOMENT_DROPPED,            /* text: the kernel's reason */
	HS_MOMENT_ICMP_SENT,          /* text: the code by which this node answered */
	HS_MOMENT_RESET_SENT,         /* text: the kernel's reason, where it says */
	HS_MOMENT_RESET_RECEIVED,
	HS_MOMENT_ERROR,              /* number: errno */
	HS_MOMENT_CLOSED,             /* side: whose process closed it; number: signal that killed it, or 0 */
	HS_MOMENT_ENDED,              /* number: errno that the application got, or 0 */
	HS_MOMENT_NOW,                /* it still hangs */
	HS_MOMENT_MAX,
};
const char *hs_moment_name(enum hs_moment_type type); /* "syn_sent" … */

struct hs_moment {
	uint64_t time_ns;
	enum hs_moment_type type;
	enum hs_side side; /* the end that it happened at, or HS_NO_SIDE */
	uint32_t number;
	char text[32];
};

#define HS_EVIDENCE_MAX 16
#define HS_TIMELINE_MAX 32

struct hs_finding {
	struct hs_finding_key {
		struct hs_workload *client; /* referenced, both */
		struct hs_workload *server;
		uint32_t server_port;
		uint32_t reason;   /* enum hs_reason */
		uint32_t ended_by; /* enum hs_ended_by */
		uint32_t cause;    /* enum hs_cause */
	} key;
	uint32_t id;              /* shown as eight hex digits; the same after a restart */
	enum hs_finding_stage stage;
	enum hs_confidence confidence;
	uint64_t count;           /* connections, those that hang now included */
	uint64_t stuck;           /* of these: hang now */
	uint64_t first_seen_ns, last_seen_ns;
	/* the latest connection */
	struct hs_log_end end[HS_SIDES]; /* workload is NULL here: it is the key's */
	bool has_tcp[HS_SIDES];   /* … */
	uint8_t state[HS_SIDES];  /* TCP_ESTABLISHED … */
	struct hs_tcp tcp[HS_SIDES];
	uint64_t start_ns, end_ns; /* end_ns 0: still hangs; start_ns 0: older than the agent */
	int error;                /* errno that the application got, 0 none */
	struct hs_evidence evidence[HS_EVIDENCE_MAX];
	size_t evidence_count;
	struct hs_moment timeline[HS_TIMELINE_MAX]; /* oldest first */
	size_t timeline_count;
	UT_hash_handle hh;
};

/* The findings kept, in no order: list by hh.next. Borrowed until the next feed or tick. */
const struct hs_finding *hs_model_findings(const struct hs_model *model);

#endif
