/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A socket's state and figures, in the words that connections and findings share. */
#include <netinet/tcp.h>
#include <stddef.h>

#include "export/json_document.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* As in OpenTelemetry's network.connection.state. */
static const char *const state_names[] = {
	[TCP_ESTABLISHED] = "established",
	[TCP_SYN_SENT] = "syn_sent",
	[TCP_SYN_RECV] = "syn_received",
	[TCP_FIN_WAIT1] = "fin_wait_1",
	[TCP_FIN_WAIT2] = "fin_wait_2",
	[TCP_TIME_WAIT] = "time_wait",
	[TCP_CLOSE] = "closed",
	[TCP_CLOSE_WAIT] = "close_wait",
	[TCP_LAST_ACK] = "last_ack",
	[TCP_LISTEN] = "listen",
	[TCP_CLOSING] = "closing",
	[TCP_CLOSING + 1] = "syn_received", /* TCP_NEW_SYN_RECV: the same for everybody outside */
};

/* icsk_pending */
static const char *const timer_names[] = {
	[0] = "none", [1] = "retransmit", [3] = "probe", [5] = "tail_loss_probe", [6] = "reorder",
};

static void put_word(struct hs_json *json, const char *key, const char *const *words, size_t count,
		     unsigned index)
{
	if (index < count)
		hs_json_put_known_text(json, key, words[index]);
}

/* What stands for "not known" in a field of the kernel. */
enum unknown {
	UNKNOWN_NEVER,
	UNKNOWN_ZERO,     /* no sample yet */
	UNKNOWN_ALL_ONES, /* min_rtt_us before the first sample */
	UNKNOWN_INFINITE, /* TCP_INFINITE_SSTHRESH */
};

static const uint64_t unknown_values[] = {
	[UNKNOWN_ALL_ONES] = UINT32_MAX,
	[UNKNOWN_INFINITE] = 0x7fffffff,
};

static const struct field {
	const char *key;
	unsigned offset, size;
	unsigned per_second; /* 0: not a time */
	enum unknown unknown;
} fields[] = {
#define FIELD(member) offsetof(struct hs_tcp, member), sizeof(((struct hs_tcp *)0)->member)
	{ "bytes_acked", FIELD(bytes_acked), 0, UNKNOWN_NEVER },
	{ "bytes_received", FIELD(bytes_received), 0, UNKNOWN_NEVER },
	{ "segs_out", FIELD(segs_out), 0, UNKNOWN_NEVER },
	{ "segs_in", FIELD(segs_in), 0, UNKNOWN_NEVER },
	{ "srtt_seconds", FIELD(srtt_us), 1000000, UNKNOWN_ZERO },
	{ "rttvar_seconds", FIELD(rttvar_us), 1000000, UNKNOWN_ZERO },
	{ "min_rtt_seconds", FIELD(min_rtt_us), 1000000, UNKNOWN_ALL_ONES },
	{ "rto_seconds", FIELD(rto_us), 1000000, UNKNOWN_ZERO },
	{ "cwnd", FIELD(snd_cwnd), 0, UNKNOWN_NEVER },
	{ "ssthresh", FIELD(snd_ssthresh), 0, UNKNOWN_INFINITE },
	{ "snd_wnd_bytes", FIELD(snd_wnd), 0, UNKNOWN_NEVER },
	{ "rcv_wnd_bytes", FIELD(rcv_wnd), 0, UNKNOWN_NEVER },
	{ "mss_bytes", FIELD(mss), 0, UNKNOWN_NEVER },
	{ "unacked_bytes", FIELD(unacked_bytes), 0, UNKNOWN_NEVER },
	{ "unsent_bytes", FIELD(unsent_bytes), 0, UNKNOWN_NEVER },
	{ "unread_bytes", FIELD(unread_bytes), 0, UNKNOWN_NEVER },
	{ "last_sent_seconds", FIELD(last_sent_ms), 1000, UNKNOWN_NEVER },
	{ "last_received_seconds", FIELD(last_received_ms), 1000, UNKNOWN_NEVER },
	{ "last_ack_seconds", FIELD(last_ack_ms), 1000, UNKNOWN_NEVER },
	{ "busy_seconds", FIELD(busy_ms), 1000, UNKNOWN_NEVER },
	{ "rwnd_limited_seconds", FIELD(rwnd_limited_ms), 1000, UNKNOWN_NEVER },
	{ "sndbuf_limited_seconds", FIELD(sndbuf_limited_ms), 1000, UNKNOWN_NEVER },
	{ "user_timeout_seconds", FIELD(user_timeout_ms), 1000, UNKNOWN_NEVER },
	{ "retransmit_attempts", FIELD(retransmits), 0, UNKNOWN_NEVER },
	{ "probes", FIELD(probes_out), 0, UNKNOWN_NEVER },
	{ "backoff", FIELD(backoff), 0, UNKNOWN_NEVER },
#undef FIELD
};

static uint64_t field_value(const struct field *field, const struct hs_tcp *tcp)
{
	const unsigned char *at = (const unsigned char *)tcp + field->offset;

	if (field->size == sizeof(uint64_t))
		return *(const uint64_t *)(const void *)at;
	if (field->size == sizeof(uint32_t))
		return *(const uint32_t *)(const void *)at;
	return *at;
}

static void put_field(struct hs_json *json, const struct field *field, const struct hs_tcp *tcp)
{
	uint64_t value = field_value(field, tcp);

	if (field->unknown != UNKNOWN_NEVER && value == unknown_values[field->unknown])
		return;
	if (field->per_second)
		hs_json_put_seconds(json, field->key, value, field->per_second);
	else
		hs_json_put_number(json, field->key, value);
}

void hs_json_put_tcp(struct hs_json *json, const struct hs_tcp *tcp)
{
	uint64_t retransmits[HS_RETRANSMIT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		put_field(json, &fields[i], tcp);
	for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++)
		retransmits[kind] = tcp->retrans[kind];
	hs_json_put_retransmits(json, "retransmits", retransmits);
	put_word(json, "timer", timer_names, ARRAY_LEN(timer_names), tcp->pending_timer);
}

void hs_json_put_tcp_state(struct hs_json *json, const char *key, unsigned state)
{
	put_word(json, key, state_names, ARRAY_LEN(state_names), state);
}
