// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From what is known of a connection to why it failed. Every rule stands for itself and says
 * whether the deciding signal was seen (proved) or the rest excluded (inferred). Where several
 * apply, the first one in order is what an operator would fix.
 */
#include <errno.h>

#include "model/private.h"

#define IDLE_MS 5000       /* a pooled connection that was not used for so long may be stale */
#define FRESH_MS 1000      /* its first use was just now */
#define WAITED_MS 1000     /* an application that gives up has waited for so long at least */
#define UNREAD_MS 5000     /* data that nobody reads for so long */
#define UNACCEPTED_NS (3 * SECOND)
#define LATER_NS (SECOND / 100) /* not what was under way already */
#define MANY_RTOS 2        /* a second timeout is no accident of one packet */

enum { ESTABLISHED = 1, SYN_SENT = 2, FIN_WAIT1 = 4, FIN_WAIT2 = 5, CLOSE_WAIT = 8, LAST_ACK = 9, CLOSING = 11 };

static const struct hs_end *end_of(const struct hs_case *c, enum hs_side side)
{
	return &c->connection->end[side];
}

static void decide(struct hs_verdict *verdict, enum hs_cause cause, enum hs_confidence confidence)
{
	verdict->cause = cause;
	verdict->confidence = confidence;
}

static void proved(struct hs_verdict *verdict, enum hs_cause cause)
{
	decide(verdict, cause, HS_CONFIDENCE_PROVED);
}

static void inferred(struct hs_verdict *verdict, enum hs_cause cause)
{
	decide(verdict, cause, HS_CONFIDENCE_INFERRED);
}

/* Packets of this side were dropped here, and that is what it suffers from. */
static bool blame_drops(const struct hs_case *c, enum hs_side side, struct hs_verdict *verdict)
{
	enum hs_cause cause = hs_case_cause_of_drops(c, side);

	if (cause == HS_CAUSE_UNKNOWN)
		return false;
	proved(verdict, cause);
	return true;
}

/* ---- connects ---- */

static bool blame_listener(struct hs_case *c, struct hs_verdict *verdict)
{
	const struct hs_sender *server = c->from[HS_SERVER];
	const struct hs_listener *listener = c->listener;
	bool full = listener && listener->backlog > listener->backlog_limit;
	bool overflowed = hs_case_moved(c, HS_SERVER, HS_COUNTER_LISTEN_OVERFLOWS);

	if (server->syn_acks_acked || (full && (overflowed || c->server_is_here)) || (listener && overflowed)) {
		verdict->stage = server->syn_acks_acked ? HS_STAGE_ACCEPT : HS_STAGE_CONNECT;
		proved(verdict, hs_case_fds_exhausted(c, HS_SERVER) ? HS_CAUSE_FD_EXHAUSTED : HS_CAUSE_ACCEPT_QUEUE_FULL);
		return true;
	}
	if (hs_case_moved(c, HS_SERVER, HS_COUNTER_SYN_QUEUE_DROPS)) {
		proved(verdict, HS_CAUSE_SYN_QUEUE_FULL);
		return true;
	}
	if (server->syn_acks_again) {
		proved(verdict, HS_CAUSE_SYNACK_LOST);
		return true;
	}
	return false;
}

/* No answer to any SYN. */
static void judge_silence(struct hs_case *c, struct hs_verdict *verdict)
{
	const struct hs_tcp *tcp = &end_of(c, HS_CLIENT)->tcp;

	if (blame_drops(c, HS_CLIENT, verdict) || blame_drops(c, HS_SERVER, verdict) || blame_listener(c, verdict))
		return;
	if (c->from[HS_CLIENT]->send_error == EPERM)
		proved(verdict, HS_CAUSE_DROPPED_EGRESS);
	else if (hs_case_moved(c, HS_CLIENT, HS_COUNTER_RETRANSMIT_FAILS) && !c->from[HS_CLIENT]->syns_again &&
		 tcp->retrans[HS_RETRANSMIT_UNTRACED])
		inferred(verdict, HS_CAUSE_DROPPED_EGRESS);
	else if (hs_case_moved(c, HS_SERVER, HS_COUNTER_LISTEN_OVERFLOWS))
		inferred(verdict, HS_CAUSE_ACCEPT_QUEUE_FULL); /* of a listener that has gone since */
	else if (hs_case_moved(c, HS_SERVER, HS_COUNTER_RP_FILTER))
		inferred(verdict, HS_CAUSE_RP_FILTER);
	else if (hs_case_moved(c, HS_SERVER, HS_COUNTER_TIMESTAMP_REJECTED))
		inferred(verdict, HS_CAUSE_TIMESTAMP_REJECTED);
	else if (hs_case_moved(c, HS_SERVER, HS_COUNTER_CONNTRACK_DROPS) ||
		 hs_case_moved(c, HS_CLIENT, HS_COUNTER_CONNTRACK_DROPS))
		inferred(verdict, HS_CAUSE_CONNTRACK_FULL);
	else
		inferred(verdict, HS_CAUSE_NO_ANSWER);
}

/* The rule that answered also dropped the SYN. */
static bool rejected_here(const struct hs_case *c, struct hs_verdict *verdict)
{
	const struct hs_ev_drop *drop = &c->from[HS_CLIENT]->drop;

	if (!hs_has_prefix(drop->reason, "NETFILTER"))
		return false;
	verdict->ended_by = drop->direction == HS_DIRECTION_EGRESS ? HS_ENDED_LOCAL : HS_ENDED_PEER;
	proved(verdict, HS_CAUSE_REJECTED);
	return true;
}

static void judge_refusal(const struct hs_case *c, struct hs_verdict *verdict)
{
	bool reset = c->from[HS_CLIENT]->resets_received || end_of(c, HS_CLIENT)->tcp.resets_received;

	verdict->ended_by = HS_ENDED_PEER;
	if (rejected_here(c, verdict))
		return;
	if (!reset)
		proved(verdict, HS_CAUSE_REJECTED); /* by ICMP: nothing else gives this error without a reset */
	else if (c->from[HS_SERVER]->resets_sent || (c->server_is_here && !c->listener))
		proved(verdict, HS_CAUSE_NO_LISTENER);
	else if (c->listener)
		proved(verdict, HS_CAUSE_REJECTED); /* somebody listens, and its kernel sent no reset: a rule did */
	else
		inferred(verdict, HS_CAUSE_NO_LISTENER);
}

/*
 * The kernel gives no reason for what IPv6 neighbour discovery drops. But the SYN was still in a queue of this
 * host when it was to be sent again (EBUSY, of which 6.12 and before only tell that nothing was sent): who made it
 * unreachable cannot be further away.
 */
static bool never_left(const struct hs_case *c)
{
	const struct hs_sender *from = c->from[HS_CLIENT];

	return from->send_error == EBUSY || (end_of(c, HS_CLIENT)->tcp.retransmits && !from->syns_again);
}

static void judge_unreachable(const struct hs_case *c, struct hs_verdict *verdict)
{
	verdict->ended_by = HS_ENDED_LOCAL;
	if (rejected_here(c, verdict) || blame_drops(c, HS_CLIENT, verdict))
		return;
	if (never_left(c)) {
		proved(verdict, HS_CAUSE_NEIGHBOR_FAILED);
		return;
	}
	verdict->ended_by = HS_ENDED_PEER;
	decide(verdict, HS_CAUSE_HOST_UNREACHABLE,
	       c->from[HS_CLIENT]->icmp_error ? HS_CONFIDENCE_PROVED : HS_CONFIDENCE_INFERRED);
}

struct hs_verdict hs_verdict_of_connect(struct hs_case *c)
{
	const struct hs_connection *connection = c->connection;
	struct hs_verdict verdict = { .reason = connection->reason, .stage = HS_STAGE_CONNECT };

	switch (connection->reason) {
	case HS_REASON_TIMED_OUT:
		verdict.ended_by = end_of(c, HS_CLIENT)->tcp.user_timeout_ms ? HS_ENDED_USER_TIMEOUT :
									      HS_ENDED_SYN_RETRIES;
		judge_silence(c, &verdict);
		break;
	case HS_REASON_GAVE_UP:
		verdict.ended_by = HS_ENDED_APPLICATION;
		judge_silence(c, &verdict);
		break;
	case HS_REASON_REFUSED:
		judge_refusal(c, &verdict);
		break;
	case HS_REASON_UNREACHABLE:
		judge_unreachable(c, &verdict);
		break;
	case HS_REASON_DENIED:
		verdict.ended_by = HS_ENDED_LOCAL;
		proved(&verdict, HS_CAUSE_DENIED_BY_POLICY);
		break;
	default:
		verdict.ended_by = connection->error ? HS_ENDED_PEER : HS_ENDED_APPLICATION;
		break;
	}
	return verdict;
}

struct hs_verdict hs_verdict_of_error(int error, uint16_t local_port)
{
	struct hs_verdict verdict = {
		.reason = hs_reason_of_error(error), .ended_by = HS_ENDED_LOCAL, .stage = HS_STAGE_CONNECT,
	};

	switch (error) {
	case ENETUNREACH:
	case EHOSTUNREACH:
		proved(&verdict, HS_CAUSE_NO_ROUTE);
		break;
	case EADDRNOTAVAIL:
		/* A bound socket needs no port: the connection itself exists already. */
		proved(&verdict, local_port ? HS_CAUSE_ADDRESS_IN_USE : HS_CAUSE_PORTS_EXHAUSTED);
		break;
	case EADDRINUSE:
		proved(&verdict, HS_CAUSE_ADDRESS_IN_USE);
		break;
	case EACCES:
	case EPERM:
		proved(&verdict, HS_CAUSE_DENIED_BY_POLICY);
		break;
	case ENOMEM:
	case ENOBUFS:
		proved(&verdict, HS_CAUSE_MEMORY_PRESSURE);
		break;
	default:
		break;
	}
	return verdict;
}

/* ---- established connections ---- */

static enum hs_finding_stage stage_of(const struct hs_case *c)
{
	const struct hs_end *server = end_of(c, HS_SERVER);
	bool accepted = server->accept_ns || server->pid || !c->server_is_here || c->connection->older;

	return accepted ? HS_STAGE_TRANSFER : HS_STAGE_ACCEPT;
}

/* The receiver's window is closed: this end may not send. */
static bool window_is_closed(const struct hs_end *end)
{
	return end->tcp.unacked_bytes && (!end->tcp.snd_wnd || end->tcp.pending_timer == 3);
}

/*
 * Something has passed, but hardly a full segment: what was acknowledged would not fill one, or was by less than
 * half a segment at a time. That it hangs just when the first large ones are sent is no accident.
 */
static bool only_small_passed(const struct hs_tcp *tcp)
{
	return tcp->unacked_bytes >= tcp->mss && tcp->mss && tcp->bytes_acked + tcp->bytes_received &&
	       (tcp->bytes_acked < tcp->mss || tcp->bytes_acked < (uint64_t)tcp->delivered * tcp->mss / 2);
}

/* This end sends again and again, and nothing is acknowledged. */
static void judge_loss(struct hs_case *c, enum hs_side sender, struct hs_verdict *verdict)
{
	const struct hs_tcp *tcp = &end_of(c, sender)->tcp;

	if (blame_drops(c, sender, verdict) || blame_drops(c, hs_other_side(sender), verdict))
		return;
	if (sender == HS_CLIENT && c->from[HS_SERVER]->syn_acks_acked && blame_listener(c, verdict))
		return;
	inferred(verdict, only_small_passed(tcp) ? HS_CAUSE_MTU_BLACKHOLE : HS_CAUSE_PATH_LOSS);
}

static void judge_time_out(struct hs_case *c, enum hs_side victim, struct hs_verdict *verdict)
{
	const struct hs_end *end = end_of(c, victim);
	bool closed_window = window_is_closed(end) && !end->tcp.retransmits;

	verdict->reason = HS_REASON_TIMED_OUT;
	verdict->ended_by = end->closer ? HS_ENDED_APPLICATION :
		end->tcp.user_timeout_ms ? HS_ENDED_USER_TIMEOUT :
		closed_window ? HS_ENDED_ZERO_WINDOW_LIMIT :
		end->tcp.unacked_bytes || end->tcp.retransmits ? HS_ENDED_RETRANSMISSION_LIMIT : HS_ENDED_KEEPALIVE;
	if (closed_window)
		proved(verdict, HS_CAUSE_PEER_NOT_READING);
	else if (end->tcp.unacked_bytes || end->tcp.retransmits)
		judge_loss(c, victim, verdict);
	else if (!blame_drops(c, victim, verdict) && !blame_drops(c, hs_other_side(victim), verdict))
		inferred(verdict, HS_CAUSE_PEER_SILENT);
}

static bool was_idle(const struct hs_tcp *tcp)
{
	return tcp->last_received_ms > IDLE_MS && tcp->last_sent_ms < FRESH_MS;
}

static bool closed_before_last_write(const struct hs_case *c, const struct hs_end *sender,
				     const struct hs_end *victim)
{
	return sender->closer &&
	       sender->closed_ns + victim->tcp.last_sent_ms * 1000000ull + LATER_NS < c->model->now_ns;
}

static void judge_reset_from_here(const struct hs_case *c, const struct hs_end *sender, const struct hs_end *victim,
				  struct hs_verdict *verdict)
{
	if (sender->closer_exit & HS_CLOSER_EXITING)
		proved(verdict, HS_CAUSE_PEER_PROCESS_DIED);
	else if (sender->close & HS_CLOSE_LINGER)
		proved(verdict, HS_CAUSE_RESET_BY_LINGER);
	else if (sender->close & HS_CLOSE_UNREAD)
		proved(verdict, HS_CAUSE_RESET_UNREAD_DATA);
	else if (sender->closed && (was_idle(&victim->tcp) || closed_before_last_write(c, sender, victim)))
		proved(verdict, HS_CAUSE_STALE_CONNECTION);
	else if (sender->closed && !sender->pid)
		inferred(verdict, HS_CAUSE_PEER_PROCESS_DIED); /* nobody had accepted it: its listener went */
	else if (was_idle(&victim->tcp))
		inferred(verdict, HS_CAUSE_STALE_CONNECTION);
	else if (sender->closed)
		inferred(verdict, HS_CAUSE_RESET_UNREAD_DATA); /* it came after the close */
	else if (!c->from[sender == end_of(c, HS_CLIENT) ? HS_CLIENT : HS_SERVER]->resets_sent)
		inferred(verdict, HS_CAUSE_REJECTED); /* its kernel sent none, and it lives: a rule did */
}

static void judge_reset(struct hs_case *c, enum hs_side victim, struct hs_verdict *verdict)
{
	enum hs_side other = hs_other_side(victim);
	const struct hs_end *end = end_of(c, victim), *sender = end_of(c, other);

	verdict->reason = HS_REASON_RESET;
	verdict->ended_by = HS_ENDED_PEER;
	if (victim == HS_CLIENT && !sender->here &&
	    (hs_has_prefix(c->from[HS_CLIENT]->drop.reason, "TCP_LISTEN_OVERFLOW") ||
	     (c->listener && hs_case_moved(c, HS_SERVER, HS_COUNTER_LISTEN_OVERFLOWS)))) {
		verdict->stage = HS_STAGE_ACCEPT;
		proved(verdict, HS_CAUSE_RESET_ON_OVERFLOW);
	} else if (sender->here) {
		judge_reset_from_here(c, sender, end, verdict);
	} else if (was_idle(&end->tcp)) {
		inferred(verdict, HS_CAUSE_STALE_CONNECTION);
	} else if (victim == HS_CLIENT && c->server_is_here && !c->listener) {
		inferred(verdict, HS_CAUSE_PEER_PROCESS_DIED); /* nobody listens there any more */
	}
}

/* The client asked, and closed before any answer had come. */
static bool gave_up_waiting(const struct hs_case *c, enum hs_side side)
{
	const struct hs_end *client = end_of(c, HS_CLIENT), *server = end_of(c, HS_SERVER);

	return side == HS_CLIENT && client->closer && !server->closer && client->tcp.bytes_acked &&
	       !client->tcp.unacked_bytes && !client->tcp.retransmits && client->tcp.last_sent_ms >= WAITED_MS &&
	       (!client->tcp.bytes_received || client->tcp.last_received_ms > client->tcp.last_sent_ms);
}

/* Some clients only send, and wait for nothing. A server that answers has done so before. */
static bool answers(const struct hs_case *c)
{
	const struct hs_edge *edge = c->connection->edge;

	return (edge && edge->received_bytes) || end_of(c, HS_CLIENT)->tcp.bytes_received;
}

/* What is there to read; a FIN counts in the kernel's figure. */
uint32_t hs_unread_bytes(const struct hs_end *end)
{
	uint32_t fin = !!(end->tcp.fin & HS_FIN_RECEIVED) || end->state == CLOSE_WAIT || end->state == LAST_ACK;

	return end->tcp.unread_bytes > fin ? end->tcp.unread_bytes - fin : 0;
}

static void judge_wait(struct hs_case *c, struct hs_verdict *verdict)
{
	const struct hs_end *server = end_of(c, HS_SERVER);
	bool accepted = server->here && server->pid;

	verdict->reason = HS_REASON_ABORTED;
	verdict->ended_by = HS_ENDED_APPLICATION;
	if (accepted && server->tcp.unacked_bytes && server->tcp.retransmits)
		judge_loss(c, HS_SERVER, verdict); /* it has answered, and that does not get through */
	else if (c->server_is_here && !accepted && hs_case_fds_exhausted(c, HS_SERVER))
		proved(verdict, HS_CAUSE_FD_EXHAUSTED);
	else if (c->listener && !accepted && c->listener->backlog > c->listener->backlog_limit)
		proved(verdict, HS_CAUSE_ACCEPT_QUEUE_FULL);
	else if (accepted && hs_unread_bytes(server))
		proved(verdict, HS_CAUSE_LOCAL_NOT_READING);
	else if (accepted)
		proved(verdict, HS_CAUSE_SERVER_THINKING);
	else
		inferred(verdict, HS_CAUSE_SERVER_THINKING);
}

/* Its process was killed, or failed, with a request that it had got and not answered. */
static bool died_with_a_request(const struct hs_case *c, enum hs_side side)
{
	const struct hs_end *server = end_of(c, HS_SERVER);

	return side == HS_SERVER && (server->closer_exit & HS_CLOSER_EXITING) &&
	       (server->closer_exit & HS_CLOSER_STATUS) && !end_of(c, HS_CLIENT)->closer &&
	       server->tcp.bytes_received &&
	       (!server->tcp.bytes_acked || server->tcp.last_received_ms < server->tcp.last_sent_ms);
}

struct hs_verdict hs_verdict_of_wait(struct hs_case *c)
{
	struct hs_verdict verdict = { .stage = stage_of(c) };

	judge_wait(c, &verdict);
	return verdict;
}

struct hs_verdict hs_verdict_of_abandoned(struct hs_case *c, enum hs_side side)
{
	struct hs_verdict verdict = {
		.reason = HS_REASON_ABORTED, .ended_by = HS_ENDED_APPLICATION, .stage = stage_of(c),
	};

	if (window_is_closed(end_of(c, side)))
		proved(&verdict, HS_CAUSE_PEER_NOT_READING);
	else
		judge_loss(c, side, &verdict);
	return verdict;
}

/* Did its application get to know? Once it has closed the socket, it does not. */
static bool is_orphan(uint8_t old_state)
{
	return old_state == FIN_WAIT1 || old_state == FIN_WAIT2 || old_state == LAST_ACK || old_state == CLOSING;
}

struct hs_verdict hs_verdict_of_close(struct hs_case *c, enum hs_side victim, uint8_t old_state)
{
	struct hs_verdict verdict = { .stage = stage_of(c) };
	int error = end_of(c, victim)->tcp.error;

	switch (error) {
	case 0:
		if (died_with_a_request(c, victim)) {
			if (end_of(c, victim)->close && end_of(c, HS_CLIENT)->here)
				break; /* the client is going to tell of the reset */
			verdict.reason = end_of(c, victim)->close ? HS_REASON_RESET : HS_REASON_ABORTED;
			verdict.ended_by = HS_ENDED_PEER;
			proved(&verdict, HS_CAUSE_PEER_PROCESS_DIED);
		} else if (gave_up_waiting(c, victim)) {
			judge_wait(c, &verdict);
			if (!answers(c) && !hs_talk_pending(c->connection))
				verdict.ended_by = HS_ENDED_PENDING; /* if the server closes now, all is well */
		}
		break;
	case ECONNRESET:
	case EPIPE:
		if (!is_orphan(old_state))
			judge_reset(c, victim, &verdict);
		break;
	case ETIMEDOUT:
	case EHOSTUNREACH:
	case ENETUNREACH:
		if (!is_orphan(old_state) || end_of(c, victim)->tcp.unacked_bytes > 1)
			judge_time_out(c, victim, &verdict);
		break;
	case ECONNABORTED:
		verdict.reason = HS_REASON_ABORTED;
		verdict.ended_by = HS_ENDED_LOCAL;
		break;
	default:
		verdict.reason = HS_REASON_ABORTED;
		verdict.ended_by = HS_ENDED_LOCAL;
		break;
	}
	return verdict;
}

/* ---- what hangs ---- */

static bool stuck_sending(struct hs_case *c, enum hs_side side, struct hs_verdict *verdict)
{
	const struct hs_end *end = end_of(c, side);

	if (!hs_is_met(c->model, end) || !end->tcp.unacked_bytes || end->state == SYN_SENT)
		return false;
	if (window_is_closed(end)) {
		proved(verdict, HS_CAUSE_PEER_NOT_READING);
		return true;
	}
	if (end->tcp.retransmits < MANY_RTOS)
		return false;
	judge_loss(c, side, verdict);
	return true;
}

static bool stuck_unread(struct hs_case *c, enum hs_side side, struct hs_verdict *verdict)
{
	const struct hs_end *end = end_of(c, side);

	if (!hs_is_met(c->model, end) || !hs_unread_bytes(end) || end->tcp.last_received_ms < UNREAD_MS)
		return false;
	hs_case_ask_status(c, side);
	proved(verdict, HS_CAUSE_LOCAL_NOT_READING);
	return true;
}

static bool stuck_unaccepted(struct hs_case *c, struct hs_verdict *verdict)
{
	const struct hs_listener *listener = c->listener;
	const struct hs_end *client = end_of(c, HS_CLIENT), *server = end_of(c, HS_SERVER);

	if (!hs_is_met(c->model, client) || server->pid || c->connection->older || !listener ||
	    !listener->backlog || listener->oldest_wait_ns < UNACCEPTED_NS ||
	    c->connection->established_ns + UNACCEPTED_NS > c->model->now_ns)
		return false;
	if (hs_case_fds_exhausted(c, HS_SERVER))
		proved(verdict, HS_CAUSE_FD_EXHAUSTED);
	else if (listener->backlog > listener->backlog_limit)
		proved(verdict, HS_CAUSE_ACCEPT_QUEUE_FULL);
	else
		inferred(verdict, HS_CAUSE_SERVER_THINKING);
	verdict->stage = HS_STAGE_ACCEPT;
	return true;
}

static bool stuck_leaking(struct hs_case *c, enum hs_side side, struct hs_verdict *verdict)
{
	const struct hs_end *end = end_of(c, side);

	if (!hs_is_met(c->model, end) || end->state != CLOSE_WAIT)
		return false;
	if (!c->connection->stuck_ns || c->connection->stuck_ns + c->model->config.close_wait_ns > c->model->now_ns)
		return false;
	proved(verdict, HS_CAUSE_CLOSE_WAIT_LEAK);
	return true;
}

struct hs_verdict hs_verdict_of_stuck(struct hs_case *c)
{
	const struct hs_end *client = end_of(c, HS_CLIENT);
	struct hs_verdict verdict = { .reason = HS_REASON_STUCK, .ended_by = HS_ENDED_PENDING };

	if (hs_is_met(c->model, client) && client->state == SYN_SENT && client->tcp.retransmits) {
		verdict.stage = HS_STAGE_CONNECT;
		judge_silence(c, &verdict);
		return verdict;
	}
	verdict.stage = stage_of(c);
	/* A leak first: for what it has not read nobody waits any more. */
	if (stuck_sending(c, HS_CLIENT, &verdict) || stuck_sending(c, HS_SERVER, &verdict) ||
	    stuck_unaccepted(c, &verdict) || stuck_leaking(c, HS_CLIENT, &verdict) ||
	    stuck_leaking(c, HS_SERVER, &verdict) || stuck_unread(c, HS_SERVER, &verdict) ||
	    stuck_unread(c, HS_CLIENT, &verdict))
		return verdict;
	if (hs_is_pooled_out(c->model, c->connection)) {
		inferred(&verdict, HS_CAUSE_POOL_EXHAUSTED);
		return verdict;
	}
	return (struct hs_verdict){};
}
