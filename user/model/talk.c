// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From payload to calls: every end of a connection that says something has a conversation, until
 * that is not understood. Where both ends are on this node the server's is the one that counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/private.h"

#define REMIND 64 /* records of a connection that nobody wants, until the kernel is told again */

struct hs_talk {
	struct hs_model *model;
	struct hs_connection *connection;
	enum hs_side side;
	struct hs_conversation *conversation; /* NULL: of no use */
	enum hs_watch watch;                  /* as the kernel was told */
	unsigned unwanted;
	unsigned calls;  /* told in full, since the kernel followed it last */
	unsigned needed; /* so many of them, until it may */
	bool pipelines;  /* the client has asked before it was answered: many answers may come in one turn */
	char version[HS_VERSION_LEN]; /* of the last one */
};

/* Every surprise makes it four times as many. */
#define CALLS_NEEDED 2
#define CALLS_NEEDED_MAX 4096

/* Versions of a protocol, which share a name, are counted together: where the first of them is. */
size_t hs_protocol_index(const struct hs_protocol *protocol)
{
	for (size_t i = 0; protocol && hs_protocols[i] && i < HS_PROTOCOLS_MAX; i++)
		if (!strcmp(hs_protocols[i]->name, protocol->name))
			return i + 1;
	return 0;
}

static void on_call(void *arg, const struct hs_protocol *protocol, const struct hs_call *call)
{
	struct hs_talk *talk = arg;

	talk->model->counters.calls[hs_protocol_index(protocol)]++;
	talk->calls++;
	memcpy(talk->version, call->version, sizeof(talk->version));
	hs_call_take(talk->model, talk->connection, talk->side, protocol, call);
}

static void on_loss(void *arg, const struct hs_protocol *protocol, enum hs_l7_loss loss, uint64_t count)
{
	struct hs_talk *talk = arg;

	talk->model->counters.undecoded[hs_protocol_index(protocol)][loss] += count;
}

static const struct hs_conversation_events events = { on_call, on_loss };

static bool is_followed(enum hs_watch watch)
{
	return watch == HS_WATCH_COUNT || watch == HS_WATCH_PIPELINE;
}

static void tell_wanted(struct hs_talk *talk, struct hs_wanted *wanted)
{
	struct hs_model *model = talk->model;

	if (is_followed(wanted->watch))
		wanted->group = hs_counted_group(talk->connection->edge, talk->version);
	talk->watch = wanted->watch;
	if (model->config.watch)
		model->config.watch(model->config.introduce_arg, talk->connection->end[talk->side].cookie, wanted);
}

static void want(struct hs_talk *talk, enum hs_watch watch)
{
	if (talk->watch != watch)
		tell_wanted(talk, &(struct hs_wanted){ .watch = watch });
}

/* May the kernel follow this connection by itself from its next request on? */
static bool is_predictable(const struct hs_talk *talk, const struct hs_protocol *protocol)
{
	return talk->calls >= talk->needed && (!talk->pipelines || protocol->is_plain) && talk->connection->edge &&
	       talk->connection->edge->counted && hs_conversation_is_at_rest(talk->conversation);
}

static enum hs_watch wanted_of(const struct hs_talk *talk, const struct hs_protocol *protocol)
{
	static const enum hs_watch watches[] = {
		[HS_NEEDS_HEADS] = HS_WATCH_HEADS, [HS_NEEDS_ENDS] = HS_WATCH_ENDS, [HS_NEEDS_ALL] = HS_WATCH_ALL,
	};

	if (is_followed(talk->watch) || is_predictable(talk, protocol))
		return protocol->is_plain ? HS_WATCH_PIPELINE : HS_WATCH_COUNT;
	return talk->pipelines && protocol->needs == HS_NEEDS_HEADS ? HS_WATCH_ENDS : watches[protocol->needs];
}

static void stop(struct hs_talk *talk)
{
	if (talk->conversation)
		talk->model->talk_count--;
	hs_conversation_free(talk->conversation);
	talk->conversation = NULL;
	want(talk, HS_WATCH_NOTHING);
}

static struct hs_talk *begin(struct hs_model *model, struct hs_connection *connection, enum hs_side side)
{
	struct hs_talk *talk = calloc(1, sizeof(*talk));

	if (!talk)
		return NULL;
	*talk = (struct hs_talk){ .model = model, .connection = connection, .side = side, .needed = CALLS_NEEDED };
	connection->end[side].talk = talk;
	if (hs_is_own(model, connection))
		return talk;
	if (model->talk_count < model->config.max_conversations)
		talk->conversation = hs_conversation_new(!connection->end[side].established_ns, &events, talk);
	if (talk->conversation)
		model->talk_count++;
	else
		model->counters.dropped[HS_MODEL_LOSS_CONVERSATION]++;
	return talk;
}

/* The server's end sees the same, and what its application takes its time for. */
static bool is_redundant(const struct hs_connection *connection, enum hs_side side)
{
	return side == HS_CLIENT && connection->end[HS_SERVER].here;
}

/* The client's next connections need not say what the server's end says. */
static void tell(struct hs_model *model, const struct hs_connection *connection)
{
	struct hs_server server = {
		.netns = connection->end[HS_CLIENT].netns, .port = connection->port[HS_SERVER],
	};

	memcpy(server.address, connection->address[HS_SERVER], sizeof(server.address));
	if (model->config.server_is_here)
		model->config.server_is_here(model->config.introduce_arg, &server);
}

static void feed(struct hs_talk *talk, const struct hs_ev_data *event)
{
	enum hs_side from = event->direction == HS_DIRECTION_EGRESS ? talk->side : hs_other_side(talk->side);
	struct hs_segment before = {
		.from = from, .position = event->position - event->before_bytes,
		.length = event->before_bytes, .time_ns = event->before_ns,
	};
	struct hs_segment segment = {
		.from = from, .position = event->position, .length = event->length,
		.captured = event->captured, .bytes = event->bytes, .ahead = event->ahead, .time_ns = event->event.time_ns,
		.read_ns = event->read_ns,
	};
	const struct hs_protocol *protocol;
	const struct hs_call *pending;

	hs_conversation_feed(talk->conversation, &before);
	hs_conversation_feed(talk->conversation, &segment);
	protocol = hs_conversation_protocol(talk->conversation);
	pending = hs_conversation_pending(talk->conversation);
	talk->pipelines |= pending && pending->next;
	if (hs_conversation_is_ignored(talk->conversation))
		stop(talk);
	else if (protocol)
		want(talk, wanted_of(talk, protocol));
}

int hs_data_feed(struct hs_model *model, const struct hs_ev_data *event)
{
	const struct hs_ev_socket socket = { .cookie = event->cookie };
	struct hs_connection *connection;
	struct hs_talk *talk;
	enum hs_side side;

	connection = event->cookie ? hs_connection_of(model, &socket, &side) : NULL;
	if (!connection || connection->end[side].cookie != event->cookie || connection->end[side].closed) {
		model->counters.undecoded[0][HS_L7_LOSS_BYTES] += event->length; /* its record was lost */
		return 0;
	}
	talk = connection->end[side].talk;
	if (!talk)
		talk = begin(model, connection, side);
	if (!talk)
		return -ENOMEM;
	if (!talk->conversation && talk->unwanted++ % REMIND == 0)
		talk->watch = HS_WATCH_NEW; /* the kernel has not heard, or forgotten */
	if (is_redundant(connection, side) && talk->conversation)
		tell(model, connection);
	if (!talk->conversation || is_redundant(connection, side))
		stop(talk);
	else
		feed(talk, event);
	return 0;
}

static void positions_of(const struct hs_talk *talk, const struct hs_ev_call *event, uint32_t position[HS_SIDES])
{
	position[talk->side] = event->position[HS_DIRECTION_EGRESS];
	position[hs_other_side(talk->side)] = event->position[HS_DIRECTION_INGRESS];
}

/* It is not followed now, and will not be again as soon as it was. */
static void unfollow(struct hs_talk *talk, enum hs_watch watch)
{
	talk->watch = watch;
	talk->calls = 0;
	if (talk->needed < CALLS_NEEDED_MAX)
		talk->needed *= 4;
}

static void lose_calls(struct hs_model *model, const struct hs_protocol *protocol, uint64_t count)
{
	model->counters.undecoded[hs_protocol_index(protocol)][HS_L7_LOSS_CALLS] += count;
}

/* Calls that are alike and under way. False: of what, is not known. */
static bool take_over_run(struct hs_talk *talk, const struct hs_ev_call *event, const struct hs_run *run)
{
	const struct hs_protocol *protocol = hs_conversation_protocol(talk->conversation);
	const struct hs_ev_call alike = {
		.route = run->route, .request_ns = run->request_ns, .request_end_ns = run->request_ns,
		.request_bytes = run->calls ? run->bytes / run->calls : 0, .rtt_us = event->rtt_us,
	};
	struct hs_call call;

	if (event->what == HS_FOLLOWED_LOST || !hs_counted_call(talk->model, &alike, &call)) {
		lose_calls(talk->model, protocol, run->calls);
		return false;
	}
	for (unsigned i = 0; i < run->calls; i++)
		hs_conversation_take_over(talk->conversation, &call);
	return true;
}

/* What the kernel followed it gives back: the rest of it comes as payload. */
static void resume(struct hs_talk *talk, const struct hs_ev_call *event, const struct hs_call *call)
{
	uint32_t position[HS_SIDES];
	bool known = true;

	positions_of(talk, event, position);
	hs_conversation_resume(talk->conversation, position, call);
	for (unsigned i = 0; i < event->run_count; i++)
		known &= take_over_run(talk, event, &event->runs[i]);
	if (!known)
		hs_conversation_lose_place(talk->conversation);
	unfollow(talk, hs_conversation_protocol(talk->conversation)->is_plain ? HS_WATCH_ALL : HS_WATCH_ENDS);
}

/* The kernel follows on trial. Where that began we are now, for it was told before the payload that follows. */
static void confirm(struct hs_talk *talk, const struct hs_ev_call *event)
{
	uint32_t position[HS_SIDES];

	positions_of(talk, event, position);
	if (hs_conversation_rests_at(talk->conversation, position))
		tell_wanted(talk, &(struct hs_wanted){
			.watch = HS_WATCH_PIPELINE, .position = position[HS_CLIENT], .confirmed = 1 });
	else
		want(talk, HS_WATCH_ALL);
}

static void take_calls(struct hs_model *model, struct hs_connection *connection, enum hs_side side,
		       const struct hs_ev_call *event, struct hs_call *call)
{
	const struct hs_protocol *protocol = hs_conversation_protocol(connection->end[side].talk->conversation);
	unsigned count = event->calls ? event->calls : 1;

	model->counters.calls[hs_protocol_index(protocol)] += count;
	hs_counted_told(model, event);
	call->request_bytes /= count;
	call->response_bytes /= count;
	for (unsigned i = 0; i < count; i++)
		hs_call_take(model, connection, side, protocol, call);
}

/* Of a connection that is not known. */
static void lose_runs(struct hs_model *model, const struct hs_ev_call *event)
{
	for (unsigned i = 0; i < event->run_count; i++)
		lose_calls(model, NULL, event->runs[i].calls);
}

int hs_call_feed(struct hs_model *model, const struct hs_ev_call *event)
{
	const struct hs_ev_socket socket = { .cookie = event->cookie };
	const struct hs_protocol *protocol;
	struct hs_connection *connection;
	struct hs_talk *talk = NULL;
	struct hs_call call;
	enum hs_side side;
	bool known;

	connection = event->cookie ? hs_connection_of(model, &socket, &side) : NULL;
	if (connection && connection->end[side].cookie == event->cookie)
		talk = connection->end[side].talk;
	protocol = talk && talk->conversation ? hs_conversation_protocol(talk->conversation) : NULL;
	known = protocol && event->route && hs_counted_call(model, event, &call);
	if (event->route && (!known || event->what == HS_FOLLOWED_LOST))
		lose_calls(model, protocol, event->calls ? event->calls : 1);
	if (!protocol)
		lose_runs(model, event);
	else if (event->what == HS_FOLLOWED_TRIED)
		confirm(talk, event);
	else if (event->what == HS_FOLLOWED_ENDED)
		unfollow(talk, HS_WATCH_ALL);
	else if (event->what != HS_FOLLOWED_OVER)
		resume(talk, event, known && event->what == HS_FOLLOWED_HANDED ? &call : NULL);
	else if (known)
		take_calls(model, connection, side, event, &call);
	return 0;
}

const struct hs_call *hs_talk_pending(const struct hs_connection *connection)
{
	const struct hs_call *call = NULL;

	for (int side = HS_SIDES - 1; side >= 0 && !call; side--) {
		const struct hs_talk *talk = connection->end[side].talk;

		if (talk && talk->conversation)
			call = hs_conversation_pending(talk->conversation);
	}
	return call;
}

void hs_talk_end(struct hs_model *model, struct hs_connection *connection, enum hs_side side)
{
	struct hs_talk *talk = connection->end[side].talk;

	if (!talk)
		return;
	if (talk->conversation) {
		if (!is_redundant(connection, side))
			hs_conversation_end(talk->conversation, model->now_ns);
		hs_conversation_free(talk->conversation);
		model->talk_count--;
	}
	connection->end[side].talk = NULL;
	free(talk);
}
