// SPDX-License-Identifier: GPL-2.0-or-later
/* The words of metrics and JSON for the model's enums. */
#include <errno.h>

#include "model/model.h"
#include "model/private.h"

static const char *const reasons[HS_REASON_MAX] = {
	[HS_REASON_NONE] = "none",
	[HS_REASON_REFUSED] = "refused",
	[HS_REASON_TIMED_OUT] = "timed_out",
	[HS_REASON_GAVE_UP] = "gave_up",
	[HS_REASON_UNREACHABLE] = "unreachable",
	[HS_REASON_NO_PORTS] = "no_ports",
	[HS_REASON_IN_USE] = "in_use",
	[HS_REASON_DENIED] = "denied",
	[HS_REASON_RESET] = "reset",
	[HS_REASON_OTHER] = "other",
	[HS_REASON_CANCELLED] = "cancelled",
	[HS_REASON_STUCK] = "stuck",
	[HS_REASON_ABORTED] = "aborted",
};

static const char *const kinds[HS_RETRANSMIT_MAX] = {
	[HS_RETRANSMIT_SYN] = "syn",
	[HS_RETRANSMIT_SYN_ACK] = "syn_ack",
	[HS_RETRANSMIT_TLP] = "tlp",
	[HS_RETRANSMIT_FAST] = "fast",
	[HS_RETRANSMIT_RTO] = "rto",
	[HS_RETRANSMIT_UNTRACED] = "untraced",
};

static const char *const types[HS_LOG_MAX] = {
	[HS_LOG_CONNECT] = "connect",
	[HS_LOG_ACCEPT] = "accept",
	[HS_LOG_CLOSE] = "close",
	[HS_LOG_FAILURE] = "failure",
	[HS_LOG_RETRANSMIT] = "retransmit",
	[HS_LOG_RESET] = "reset",
	[HS_LOG_ERROR] = "error",
};

const char *hs_reason_name(enum hs_reason reason)
{
	return reason < HS_REASON_MAX ? reasons[reason] : "other";
}

const char *hs_retransmit_name(enum hs_retransmit_kind kind)
{
	return kind < HS_RETRANSMIT_MAX ? kinds[kind] : "untraced";
}

const char *hs_log_type_name(enum hs_log_type type)
{
	return type < HS_LOG_MAX ? types[type] : "unknown";
}

enum hs_reason hs_reason_of_error(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return HS_REASON_REFUSED;
	case ETIMEDOUT:
		return HS_REASON_TIMED_OUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case ENONET:
		return HS_REASON_UNREACHABLE;
	case EADDRNOTAVAIL:
		return HS_REASON_NO_PORTS;
	case EADDRINUSE:
		return HS_REASON_IN_USE;
	case EACCES:
	case EPERM:
		return HS_REASON_DENIED;
	case ECONNRESET:
		return HS_REASON_RESET;
	default:
		return HS_REASON_OTHER;
	}
}

enum hs_reason hs_reason_of_close(int error, bool syn_sent_again)
{
	if (error)
		return hs_reason_of_error(error);
	return syn_sent_again ? HS_REASON_GAVE_UP : HS_REASON_CANCELLED;
}
