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
};

/* Versions of a protocol, which share a name, are counted together: where the first of them is. */
static size_t index_of(const struct hs_protocol *protocol)
{
	for (size_t i = 0; protocol && hs_protocols[i] && i < HS_PROTOCOLS_MAX; i++)
		if (!strcmp(hs_protocols[i]->name, protocol->name))
			return i + 1;
	return 0;
}

static void on_call(void *arg, const struct hs_protocol *protocol, const struct hs_call *call)
{
	struct hs_talk *talk = arg;

	talk->model->counters.calls[index_of(protocol)]++;
	hs_call_take(talk->model, talk->connection, talk->side, protocol, call);
}

static void on_loss(void *arg, const struct hs_protocol *protocol, enum hs_l7_loss loss, uint64_t count)
{
	struct hs_talk *talk = arg;

	talk->model->counters.undecoded[index_of(protocol)][loss] += count;
}

static const struct hs_conversation_events events = { on_call, on_loss };

static void want(struct hs_talk *talk, enum hs_watch watch)
{
	struct hs_model *model = talk->model;

	if (talk->watch == watch)
		return;
	talk->watch = watch;
	if (model->config.watch)
		model->config.watch(model->config.introduce_arg, talk->connection->end[talk->side].cookie, watch);
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
	*talk = (struct hs_talk){ .model = model, .connection = connection, .side = side };
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
		.captured = event->captured, .bytes = event->bytes, .time_ns = event->event.time_ns,
	};
	const struct hs_protocol *protocol;

	hs_conversation_feed(talk->conversation, &before);
	hs_conversation_feed(talk->conversation, &segment);
	protocol = hs_conversation_protocol(talk->conversation);
	if (hs_conversation_is_ignored(talk->conversation))
		stop(talk);
	else if (protocol)
		want(talk, protocol->whole ? HS_WATCH_ALL : protocol->tails ? HS_WATCH_TAILS : HS_WATCH_HEADS);
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
