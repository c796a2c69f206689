// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What went wrong on the way between two ends, as it is told: packets dropped here, segments
 * sent again, resets. Kept by tuple for a while, since most of it comes before the connection
 * it belongs to has failed, and some of it when no connection is known yet.
 */
#include <errno.h>
#include <stdlib.h>

#include "model/private.h"

#define MAX_SIGNALS 4096
#define SIGNAL_TTL (180 * SECOND) /* longer than the kernel tries a SYN */
#define KEPT_HEAD (HS_SIGNAL_MOMENTS / 2)

/* Both directions have one key: the lower end first. */
static enum hs_side key_of(struct hs_signals *key, const uint8_t a[16], uint16_t a_port, const uint8_t b[16],
			   uint16_t b_port)
{
	int order = memcmp(a, b, 16);
	int first = order < 0 || (!order && a_port <= b_port) ? 0 : 1;

	memset(key->address, 0, HS_SIGNAL_KEY_LENGTH);
	memcpy(key->address[first], a, 16);
	memcpy(key->address[!first], b, 16);
	key->port[first] = a_port;
	key->port[!first] = b_port;
	return first;
}

static struct hs_signals *find(struct hs_model *model, const struct hs_signals *key)
{
	struct hs_signals *found;

	HASH_FIND(hh, model->signals, key->address, HS_SIGNAL_KEY_LENGTH, found);
	return found;
}

static void forget(struct hs_model *model, struct hs_signals *signals)
{
	HASH_DEL(model->signals, signals);
	free(signals);
}

static struct hs_signals *make(struct hs_model *model, const struct hs_signals *key)
{
	struct hs_signals *signals = calloc(1, sizeof(*signals));

	if (!signals)
		return NULL;
	if (HASH_COUNT(model->signals) >= MAX_SIGNALS) {
		model->counters.dropped[HS_MODEL_LOSS_SIGNAL]++;
		forget(model, model->signals);
	}
	memcpy(signals->address, key->address, HS_SIGNAL_KEY_LENGTH);
	HASH_ADD(hh, model->signals, address, HS_SIGNAL_KEY_LENGTH, signals);
	return signals;
}

/* The signals of this tuple, to be added to; *from is what its local end sends. NULL: no memory. */
static struct hs_signals *signals_of(struct hs_model *model, const struct hs_tuple *tuple, uint64_t time_ns,
				     enum hs_side *from)
{
	struct hs_signals key, *signals;

	*from = key_of(&key, tuple->local, tuple->local_port, tuple->remote, tuple->remote_port);
	signals = find(model, &key);
	if (!signals)
		signals = make(model, &key);
	if (signals)
		signals->seen_ns = time_ns;
	return signals;
}

/* The first and the latest stay: how it began, and how it ended. */
static struct hs_moment *add_moment(struct hs_signals *signals, uint64_t time_ns, enum hs_moment_type type,
				    enum hs_side side, uint32_t number)
{
	struct hs_moment *moment;

	if (signals->moment_count == HS_SIGNAL_MOMENTS) {
		memmove(&signals->moments[KEPT_HEAD], &signals->moments[KEPT_HEAD + 1],
			(HS_SIGNAL_MOMENTS - KEPT_HEAD - 1) * sizeof(*moment));
		signals->moment_count--;
	}
	moment = &signals->moments[signals->moment_count++];
	*moment = (struct hs_moment){ .time_ns = time_ns, .type = type, .side = side, .number = number };
	return moment;
}

/* What the kernel makes of an ICMP code (icmp_err_convert in net/ipv4/icmp.c); 0: this is no answer by ICMP. */
static int error_of_icmp(const char *reason)
{
	static const struct {
		const char *name;
		int error;
	} codes[] = {
		{ "ICMP_PORT_UNREACH", ECONNREFUSED },
		{ "ICMP_NET_UNREACH", ENETUNREACH },
		{ "ICMP_NET_UNKNOWN", ENETUNREACH },
		{ "ICMP_NET_ANO", ENETUNREACH },
		{ "ICMP_NET_UNR_TOS", ENETUNREACH },
		{ "ICMP_PROT_UNREACH", ENOPROTOOPT },
		{ "ICMP_SR_FAILED", EOPNOTSUPP },
		{ "ICMP_HOST_UNKNOWN", EHOSTDOWN },
		{ "ICMP_HOST_ISOLATED", ENONET },
	};

	if (!hs_has_prefix(reason, "ICMP_"))
		return 0;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(reason, codes[i].name))
			return codes[i].error;
	return EHOSTUNREACH;
}

static void take_drop(struct hs_model *model, struct hs_sender *sender, const struct hs_ev_drop *event)
{
	sender->drops[event->direction == HS_DIRECTION_INGRESS]++;
	sender->drop = *event;
	if (!strcmp(event->reason, "TCP_LISTEN_OVERFLOW")) /* a listener here had it already */
		hs_address_learn(model, event->tuple.remote, event->tuple.netns);
}

void hs_signal_drop(struct hs_model *model, const struct hs_ev_drop *event)
{
	enum hs_side from;
	struct hs_signals *signals = signals_of(model, &event->tuple, event->event.time_ns, &from);
	struct hs_sender *sender = signals ? &signals->from[from] : NULL;
	struct hs_ev_drop copy = *event;
	struct hs_moment *moment;
	int error;

	if (!signals)
		return;
	copy.reason[HS_DROP_REASON_LEN - 1] = '\0';
	error = error_of_icmp(copy.reason);
	if (error) {
		sender->icmp_error = error;
		memcpy(sender->icmp, copy.reason, sizeof(sender->icmp));
	} else {
		take_drop(model, sender, &copy);
	}
	moment = add_moment(signals, event->event.time_ns, error ? HS_MOMENT_ICMP_SENT : HS_MOMENT_DROPPED,
			    event->direction == HS_DIRECTION_EGRESS ? from : hs_other_side(from), event->length);
	memcpy(moment->text, copy.reason, sizeof(moment->text));
}

void hs_signal_retransmit(struct hs_model *model, const struct hs_ev_retransmit *event)
{
	enum hs_side from;
	struct hs_signals *signals = signals_of(model, &event->socket.tuple, event->socket.event.time_ns, &from);
	struct hs_sender *sender = signals ? &signals->from[from] : NULL;
	enum hs_moment_type type = event->kind == HS_RETRANSMIT_SYN ? HS_MOMENT_SYN_SENT_AGAIN :
		event->kind == HS_RETRANSMIT_SYN_ACK ? HS_MOMENT_SYN_ACK_SENT_AGAIN : HS_MOMENT_SENT_AGAIN;
	struct hs_moment *moment;

	if (!signals)
		return;
	if (event->kind == HS_RETRANSMIT_SYN_ACK) {
		sender->syn_acks_again++;
		sender->syn_acks_acked += event->acked;
		sender->backlog = event->backlog;
		sender->backlog_limit = event->backlog_limit;
	}
	if (event->kind == HS_RETRANSMIT_RTO)
		sender->rtos++;
	if (event->error)
		sender->send_error = (int)-(unsigned)event->error; /* of a foreign recording: any number */
	moment = add_moment(signals, event->socket.event.time_ns, type, from,
			    event->kind == HS_RETRANSMIT_SYN ? sender->syns_again + 1 : event->attempt);
	sender->syns_again += event->kind == HS_RETRANSMIT_SYN;
	if (type == HS_MOMENT_SENT_AGAIN)
		snprintf(moment->text, sizeof(moment->text), "%s", hs_retransmit_name(event->kind));
}

void hs_signal_reset(struct hs_model *model, const struct hs_ev_reset *event)
{
	enum hs_side local;
	struct hs_signals *signals = signals_of(model, &event->socket.tuple, event->socket.event.time_ns, &local);

	if (!signals)
		return;
	if (event->sent) {
		hs_address_learn(model, event->socket.tuple.local, event->socket.tuple.netns);
		signals->from[local].resets_sent++;
		signals->from[local].reset_reason = event->reason;
	} else {
		signals->from[local].resets_received++;
	}
	add_moment(signals, event->socket.event.time_ns,
		   event->sent ? HS_MOMENT_RESET_SENT : HS_MOMENT_RESET_RECEIVED, local, 0);
}

struct hs_signals *hs_signals_find(struct hs_model *model, const uint8_t client[16], uint16_t client_port,
				   const uint8_t server[16], uint16_t server_port, enum hs_side *of_client)
{
	struct hs_signals key;

	*of_client = key_of(&key, client, client_port, server, server_port);
	return find(model, &key);
}

/* What belongs to a tuple that is being used anew is of the past. */
void hs_signals_forget(struct hs_model *model, const struct hs_connection *connection)
{
	enum hs_side of_client;
	struct hs_signals *signals = hs_signals_find(model, connection->address[HS_CLIENT],
						     connection->port[HS_CLIENT], connection->address[HS_SERVER],
						     connection->port[HS_SERVER], &of_client);

	if (signals)
		forget(model, signals);
}

void hs_signals_tick(struct hs_model *model)
{
	struct hs_signals *signals, *next;

	HASH_ITER(hh, model->signals, signals, next)
		if (signals->seen_ns + SIGNAL_TTL < model->now_ns)
			forget(model, signals);
}

void hs_signals_free_all(struct hs_model *model)
{
	while (model->signals)
		forget(model, model->signals);
}

/* ---- counters of network namespaces ---- */

#define MAX_NAMESPACES 1024

void hs_counters_feed(struct hs_model *model, const struct hs_ev_counters *event)
{
	struct hs_ev_counters *sample;
	struct hs_namespace *space;

	HASH_FIND(hh, model->namespaces, &event->netns, sizeof(event->netns), space);
	if (!space) {
		if (HASH_COUNT(model->namespaces) >= MAX_NAMESPACES) {
			space = model->namespaces; /* the oldest */
			HASH_DEL(model->namespaces, space);
			free(space);
		}
		space = calloc(1, sizeof(*space));
		if (!space)
			return;
		space->netns = event->netns;
		HASH_ADD(hh, model->namespaces, netns, sizeof(space->netns), space);
	}
	sample = &space->sample[space->next++ % HS_COUNTER_SAMPLES];
	memset(sample, 0, sizeof(*sample));
	memcpy(sample, event, event->event.size < sizeof(*sample) ? event->event.size : sizeof(*sample));
}

static const struct hs_ev_counters *sample(const struct hs_namespace *space, size_t back)
{
	return back < space->next && back < HS_COUNTER_SAMPLES ?
		&space->sample[(space->next - 1 - back) % HS_COUNTER_SAMPLES] : NULL;
}

uint64_t hs_counter_moved(struct hs_model *model, uint32_t netns, enum hs_counter counter, uint64_t since_ns)
{
	const struct hs_ev_counters *last, *before = NULL, *s;
	struct hs_namespace *space;

	HASH_FIND(hh, model->namespaces, &netns, sizeof(netns), space);
	last = space ? sample(space, 0) : NULL;
	for (size_t back = 1; last && (s = sample(space, back)); back++) {
		before = s;
		if (s->event.time_ns <= since_ns)
			break;
	}
	return before && last->count[counter] > before->count[counter] ?
		last->count[counter] - before->count[counter] : 0;
}

uint64_t hs_model_counters_ns(const struct hs_model *model, uint32_t netns)
{
	struct hs_namespace *space;

	HASH_FIND(hh, model->namespaces, &netns, sizeof(netns), space);
	return space ? sample(space, 0)->event.time_ns : 0;
}

uint64_t hs_counter_now(struct hs_model *model, uint32_t netns, enum hs_counter counter)
{
	struct hs_namespace *space;

	HASH_FIND(hh, model->namespaces, &netns, sizeof(netns), space);
	return space ? sample(space, 0)->count[counter] : 0;
}

void hs_counters_free_all(struct hs_model *model)
{
	struct hs_namespace *space, *next;

	HASH_ITER(hh, model->namespaces, space, next) {
		HASH_DEL(model->namespaces, space);
		free(space);
	}
}

static size_t add_netns(const struct hs_model *model, struct hs_netns *out, size_t count, size_t max,
			uint32_t netns, uint32_t pid)
{
	if (!netns || !pid || count == max)
		return count;
	for (size_t i = count; i-- > 0;)
		if (out[i].netns == netns)
			return count;
	out[count] = (struct hs_netns){ netns, pid, hs_model_counters_ns(model, netns) };
	return count + 1;
}

size_t hs_model_netns(const struct hs_model *model, struct hs_netns *out, size_t max)
{
	const struct hs_connection *connection = NULL;
	uint32_t last = 0; /* most follow one of the same */
	size_t count = 0;

	for (const struct hs_listener *l = model->listeners; l; l = l->hh.next)
		count = add_netns(model, out, count, max, l->netns, l->pid);
	while ((connection = hs_model_next_connection(model, connection))) {
		for (int side = 0; side < HS_SIDES; side++) {
			const struct hs_end *end = &connection->end[side];

			if (end->here && end->netns != last)
				count = add_netns(model, out, count, max, end->netns, end->pid);
			if (end->here && end->pid)
				last = end->netns;
		}
	}
	return count;
}
