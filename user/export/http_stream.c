/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /api/v1/events and /api/v1/requests: a response without an end, read by the library piece by piece. A stream that
 * has nothing to send is suspended until hs_http_wake(); entries are written out under the
 * model's lock, a few at a time, and never wait for a client: what the model forgets before a
 * slow one has read it is missed, and said so.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "export/events.h"
#include "export/http_server.h"
#include "export/json.h"

#define BATCH 32 /* entries for one taking of the lock: about 0.1 ms */
#define BLOCK_BYTES 8192
#define STALLED_SECONDS 600u /* a follower may be stopped by ^S for so long */

/* What is streamed. */
struct source {
	const char *noun;  /* in words for people, and of what a reader has missed */
	bool document;     /* what is there already is one document, and not lines */
	const char *content_type;
	/* The number of the first that is kept from that one on; 0: none is. */
	uint64_t (*find)(const struct hs_model *model, uint64_t from);
	uint64_t (*end)(const struct hs_model *model);
	uint64_t (*first)(const struct hs_model *model, int64_t since_ns);
	void (*write)(FILE *out, const struct hs_view *view, uint64_t number); /* one that was found */
};

struct hs_stream {
	struct hs_http *http;
	const struct source *source;
	struct MHD_Connection *connection;
	int fd;
	bool follow;
	uint64_t next;           /* with follow, and of a document: number of an entry */
	uint64_t end;            /* of a document: behind its last; */
	bool begun, ended;       /* its head, its tail are written */
	struct hs_events events; /* of past events: all that will be sent, */
	size_t at;               /* from here on */
	struct hs_blob text; /* lines written and not yet sent, from sent on */
	size_t sent;
	bool waiting;        /* suspended; under followers.lock */
	struct hs_stream *list_next, **list_prev;
};

void hs_followers_init(struct hs_followers *followers)
{
	*followers = (struct hs_followers){ 0 };
	pthread_mutex_init(&followers->lock, NULL);
}

void hs_followers_free(struct hs_followers *followers)
{
	pthread_mutex_destroy(&followers->lock);
}

static void resume(struct hs_followers *followers, struct hs_stream *stream)
{
	stream->waiting = false;
	followers->waiting--;
	MHD_resume_connection(stream->connection);
}

void hs_followers_wake(struct hs_followers *followers)
{
	followers->generation++;
	if (!followers->waiting)
		return;
	pthread_mutex_lock(&followers->lock);
	for (struct hs_stream *stream = followers->list; stream; stream = stream->list_next) {
		if (stream->waiting)
			resume(followers, stream);
	}
	pthread_mutex_unlock(&followers->lock);
}

/* A client that shut down its side has gone, too: nothing tells the two apart. */
static bool has_gone(const struct hs_stream *stream)
{
	struct pollfd poll_fd = { .fd = stream->fd, .events = POLLRDHUP };

	return poll(&poll_fd, 1, 0) > 0;
}

void hs_followers_reap(struct hs_followers *followers)
{
	if (!followers->waiting)
		return;
	pthread_mutex_lock(&followers->lock);
	for (struct hs_stream *stream = followers->list; stream; stream = stream->list_next) {
		if (stream->waiting && has_gone(stream))
			resume(followers, stream);
	}
	pthread_mutex_unlock(&followers->lock);
}

/*
 * Suspends the stream unless somebody woke it since generation was read, which was before the
 * model was found to have nothing new: so no wake gets lost between the two. The order here
 * (waiting, then generation) is the reverse of that in hs_followers_wake().
 */
static bool wait_for_wake(struct hs_stream *stream, uint64_t generation)
{
	struct hs_followers *followers = &stream->http->followers;
	bool waits;

	pthread_mutex_lock(&followers->lock);
	followers->waiting++;
	waits = followers->generation == generation && !followers->stopping;
	if (waits)
		MHD_suspend_connection(stream->connection);
	else
		followers->waiting--;
	stream->waiting = waits;
	pthread_mutex_unlock(&followers->lock);
	return waits;
}

static uint64_t find_event(const struct hs_model *model, uint64_t from)
{
	const struct hs_log_entry *entry = hs_model_log(model, from);

	return entry ? entry->number : 0;
}

static void write_event(FILE *out, const struct hs_view *view, uint64_t number)
{
	hs_json_event(out, hs_model_log(view->model, number), &view->clock);
}

static uint64_t find_request(const struct hs_model *model, uint64_t from)
{
	const struct hs_request *request = hs_model_request(model, from);

	return request ? request->number : 0;
}

static void write_request(FILE *out, const struct hs_view *view, uint64_t number)
{
	hs_json_request(out, hs_model_request(view->model, number), &view->clock);
}

static const struct source events_source = {
	.noun = "events", .content_type = "application/x-ndjson", .find = find_event, .end = hs_model_log_end,
	.first = hs_events_first, .write = write_event,
};

static const struct source requests_source = {
	.noun = "requests", .content_type = "application/json", .document = true, .find = find_request,
	.end = hs_model_request_end, .first = hs_requests_first, .write = write_request,
};

static void write_lost(FILE *out, struct hs_stream *stream, uint64_t missed)
{
	stream->http->followers.missed += missed;
	fprintf(out, "{\"apiVersion\":\"hopscope/v1\",\"kind\":\"Lost\",\"%s\":%llu}\n", stream->source->noun,
		(unsigned long long)missed);
}

static void write_past(FILE *out, struct hs_stream *stream, const struct hs_view *view)
{
	uint64_t lost = 0;

	for (int i = 0; i < BATCH && stream->at < stream->events.count; i++) {
		uint64_t number = stream->events.place[stream->at++].number;
		const struct hs_log_entry *entry = hs_model_log(view->model, number);

		if (entry && entry->number == number)
			hs_json_event(out, entry, &view->clock);
		else
			lost++;
	}
	if (lost)
		write_lost(out, stream, lost);
}

static void write_new(FILE *out, struct hs_stream *stream, const struct hs_view *view)
{
	for (int i = 0; i < BATCH; i++) {
		uint64_t number = stream->source->find(view->model, stream->next);

		if (!number)
			return;
		if (number > stream->next)
			write_lost(out, stream, number - stream->next);
		stream->source->write(out, view, number);
		stream->next = number + 1;
	}
}

/* A list of what is kept; the model may forget the first of it meanwhile: then it is not recent any more. */
static void write_document(FILE *out, struct hs_stream *stream, const struct hs_view *view)
{
	uint64_t number = stream->next;

	if (stream->ended)
		return;
	if (!stream->begun)
		hs_json_requests_head(out, view);
	for (int i = 0; i < BATCH; i++) {
		number = stream->source->find(view->model, stream->next);
		if (!number || number >= stream->end)
			break;
		fputs(stream->begun ? "," : "", out);
		stream->begun = true;
		hs_json_request_item(out, hs_model_request(view->model, number), &view->clock);
		stream->next = number + 1;
	}
	stream->begun = true;
	stream->ended = !number || number >= stream->end;
	fputs(stream->ended ? "]}\n" : "", out);
}

static void write_some(FILE *out, struct hs_stream *stream, const struct hs_view *view)
{
	if (stream->follow)
		write_new(out, stream, view);
	else if (stream->source->document)
		write_document(out, stream, view);
	else
		write_past(out, stream, view);
}

/* 0, or -ENOMEM; stream->text is empty when there is nothing new. */
static int fill(struct hs_stream *stream)
{
	const struct hs_http_config *config = &stream->http->config;
	FILE *out;

	stream->text.size = 0;
	stream->sent = 0;
	out = hs_blob_open(&stream->text);
	if (!out)
		return -ENOMEM;
	write_some(out, stream, config->lock(config->arg, false));
	config->unlock(config->arg);
	return fclose(out) ? -ENOMEM : 0;
}

static ssize_t send_some(struct hs_stream *stream, char *buffer, size_t size)
{
	size_t left = stream->text.size - stream->sent;

	if (size > left)
		size = left;
	memcpy(buffer, stream->text.data + stream->sent, size);
	stream->sent += size;
	return (ssize_t)size;
}

static ssize_t read_stream(void *cls, uint64_t position, char *buffer, size_t size)
{
	struct hs_stream *stream = cls;

	(void)position;
	while (stream->sent == stream->text.size) {
		uint64_t generation = stream->http->followers.generation;

		if (stream->http->followers.stopping)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (fill(stream))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (stream->text.size)
			break;
		if (!stream->follow)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (has_gone(stream))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (wait_for_wake(stream, generation))
			return 0;
	}
	return send_some(stream, buffer, size);
}

static void list_add(struct hs_followers *followers, struct hs_stream *stream)
{
	pthread_mutex_lock(&followers->lock);
	stream->list_next = followers->list;
	stream->list_prev = &followers->list;
	if (followers->list)
		followers->list->list_prev = &stream->list_next;
	followers->list = stream;
	pthread_mutex_unlock(&followers->lock);
}

static void free_stream(void *cls)
{
	struct hs_stream *stream = cls;
	struct hs_followers *followers = &stream->http->followers;

	if (stream->follow) {
		pthread_mutex_lock(&followers->lock);
		*stream->list_prev = stream->list_next;
		if (stream->list_next)
			stream->list_next->list_prev = stream->list_prev;
		pthread_mutex_unlock(&followers->lock);
		followers->count--;
		followers->requests -= stream->source == &requests_source;
	}
	hs_events_free(&stream->events);
	hs_blob_free(&stream->text);
	free(stream);
}

/* On the model's clock. */
static int64_t since_of(const struct hs_events_query *query, const struct hs_view *view)
{
	if (query->since_kind == HS_SINCE_TIME)
		return query->since_ns - view->clock.realtime_offset_ns;
	if (query->since_kind == HS_SINCE_AGO)
		return (int64_t)hs_model_now(view->model) - query->since_ns;
	return INT64_MIN;
}

/* 0, or -ENOMEM. */
static int set_range(struct hs_stream *stream, const struct hs_events_query *query)
{
	const struct hs_http_config *config = &stream->http->config;
	const struct hs_view *view = config->lock(config->arg, false);
	const struct source *source = stream->source;
	uint64_t last = query->last;
	int64_t since_ns = since_of(query, view);
	int error = 0;

	if (!query->last_given)
		last = query->since_kind == HS_SINCE_ALWAYS && (stream->follow || !source->document) ? HS_EVENTS_LAST :
												      UINT64_MAX;
	stream->next = source->first(view->model, since_ns);
	stream->end = source->end(view->model);
	if (!stream->follow && !source->document)
		error = hs_events_collect(&stream->events, view->model, stream->next, since_ns, last);
	else if (stream->end - stream->next > last)
		stream->next = stream->end - last;
	config->unlock(config->arg);
	return error;
}

/* A follower lives longer than a request, and its client may vanish without a word. */
static void keep_open(struct hs_stream *stream)
{
	static const int on = 1, idle_seconds = 30, interval_seconds = 10, probes = 3;

	MHD_set_connection_option(stream->connection, MHD_CONNECTION_OPTION_TIMEOUT,
				  STALLED_SECONDS);
	setsockopt(stream->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, sizeof(idle_seconds));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_seconds,
		   sizeof(interval_seconds));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

static struct MHD_Response *make_stream(struct hs_http *http, struct MHD_Connection *connection,
					const struct source *source, const struct hs_events_query *query)
{
	struct hs_stream *stream = calloc(1, sizeof(*stream));
	struct MHD_Response *response;

	if (!stream)
		return NULL;
	stream->http = http;
	stream->source = source;
	stream->connection = connection;
	stream->fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	stream->follow = query->follow;
	if (set_range(stream, query)) {
		free(stream);
		return NULL;
	}
	if (query->follow) {
		keep_open(stream);
		list_add(&http->followers, stream);
		http->followers.count++;
		http->followers.requests += source == &requests_source;
	}
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream,
						     stream, free_stream);
	if (!response)
		free_stream(stream);
	return response;
}

struct parse {
	struct hs_events_query query;
	char message[256]; /* "": well so far */
};

static enum MHD_Result parse_argument(void *cls, enum MHD_ValueKind kind, const char *name,
				      const char *value)
{
	struct parse *parse = cls;

	(void)kind;
	if (hs_events_query_set(&parse->query, name, value, parse->message, sizeof(parse->message)))
		return MHD_YES;
	return MHD_NO;
}

static enum MHD_Result answer(struct hs_http *http, struct MHD_Connection *connection, const struct source *source)
{
	struct parse parse = { 0 };

	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, parse_argument, &parse);
	if (*parse.message)
		return hs_http_error(connection, MHD_HTTP_BAD_REQUEST, "%s", parse.message);
	if (parse.query.follow && http->followers.count >= HS_HTTP_MAX_FOLLOWERS)
		return hs_http_error(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				     "%d clients follow events already", HS_HTTP_MAX_FOLLOWERS);
	return hs_http_queue(connection, MHD_HTTP_OK, make_stream(http, connection, source, &parse.query),
			     parse.query.follow ? "application/x-ndjson" : source->content_type);
}

enum MHD_Result hs_http_events(struct hs_http *http, struct MHD_Connection *connection)
{
	return answer(http, connection, &events_source);
}

enum MHD_Result hs_http_requests(struct hs_http *http, struct MHD_Connection *connection)
{
	return answer(http, connection, &requests_source);
}
