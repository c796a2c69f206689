// SPDX-License-Identifier: GPL-2.0-or-later
/* A running agent: HTTP over its unix socket. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/command.h"
#include "cmd/curl.h"
#include "cmd/document.h"
#include "cmd/interrupt.h"
#include "cmd/source.h"

#define BODY_MAX (256u << 20) /* of a document or of a line: what answers may not be an agent */
#define DOCUMENT_TIMEOUT_MS 5000L
#define IDLE_MS 200 /* how often a quiet stream gives way */

struct body {
	char *data;
	size_t len, capacity;
};

struct agent {
	struct hs_source source;
	const struct hs_curl *curl;
	CURLM *multi;
	CURL *easy;
	char *socket;
	struct body body;
	/* of a stream of events */
	int (*line)(void *arg, const char *text, size_t length);
	void *arg;
	int stopped; /* what line() or idle() answered */
};

static int __attribute__((format(printf, 2, 3)))
complain(struct agent *agent, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(agent->source.message, sizeof(agent->source.message), format, list);
	va_end(list);
	return -EIO;
}

static bool append(struct body *body, const char *data, size_t len)
{
	if (len > body->capacity - body->len) {
		size_t capacity = (body->len + len) * 2;
		char *grown = capacity <= BODY_MAX ? realloc(body->data, capacity) : NULL;

		if (!grown)
			return false;
		body->data = grown;
		body->capacity = capacity;
	}
	memcpy(body->data + body->len, data, len);
	body->len += len;
	return true;
}

/* Hands over the whole lines of the body and keeps the rest. False: the reader has enough. */
static bool hand_lines(struct agent *agent)
{
	struct body *body = &agent->body;
	char *start = body->data, *end = body->data + body->len, *newline;

	while (start < end && (newline = memchr(start, '\n', (size_t)(end - start)))) {
		if (newline > start)
			agent->stopped = agent->line(agent->arg, start, (size_t)(newline - start));
		if (agent->stopped)
			return false;
		start = newline + 1;
	}
	body->len = (size_t)(end - start);
	memmove(body->data, start, body->len);
	return true;
}

static long http_status(struct agent *agent)
{
	long status = 0;

	agent->curl->easy_getinfo(agent->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* libcurl's write callback; anything but the length given ends the transfer. */
static size_t take_data(char *data, size_t size, size_t count, void *arg)
{
	struct agent *agent = arg;
	bool lines = agent->line && http_status(agent) == 200;

	if (!append(&agent->body, data, size * count))
		return 0;
	return !lines || hand_lines(agent) ? size * count : 0;
}

static CURLcode prepare(struct agent *agent, const char *path, long timeout_ms)
{
	const struct hs_curl *curl = agent->curl;
	char url[512];

	agent->body.len = 0;
	agent->stopped = 0;
	snprintf(url, sizeof(url), "http://localhost/api/v1/%s", path);
	curl->easy_setopt(agent->easy, CURLOPT_NOSIGNAL, 1L);
	curl->easy_setopt(agent->easy, CURLOPT_PROXY, ""); /* whatever http_proxy says */
	curl->easy_setopt(agent->easy, CURLOPT_WRITEFUNCTION, take_data);
	curl->easy_setopt(agent->easy, CURLOPT_WRITEDATA, agent);
	curl->easy_setopt(agent->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl->easy_setopt(agent->easy, CURLOPT_UNIX_SOCKET_PATH, agent->socket);
	return curl->easy_setopt(agent->easy, CURLOPT_URL, url);
}

static CURLcode result_of(struct agent *agent)
{
	CURLMsg *message;
	int left;

	while ((message = agent->curl->multi_info_read(agent->multi, &left))) {
		if (message->msg == CURLMSG_DONE)
			return message->data.result;
	}
	return CURLE_ABORTED_BY_CALLBACK;
}

/* Not curl_easy_perform(): a stream must give way, and Ctrl-C must end a wait at once. */
static CURLcode transfer(struct agent *agent, int (*idle)(void *arg))
{
	const struct hs_curl *curl = agent->curl;
	CURLcode result = CURLE_OUT_OF_MEMORY;
	int running = 1;

	if (curl->multi_add_handle(agent->multi, agent->easy))
		return result;
	while (!curl->multi_perform(agent->multi, &running) && running) {
		curl->multi_poll(agent->multi, NULL, 0, IDLE_MS, NULL);
		if (!agent->stopped && idle)
			agent->stopped = idle(agent->arg);
		if (agent->stopped || hs_interrupted())
			break;
	}
	result = result_of(agent);
	curl->multi_remove_handle(agent->multi, agent->easy);
	return result;
}

static int explain(struct agent *agent, CURLcode result)
{
	switch (result) {
	case CURLE_COULDNT_CONNECT:
		return complain(agent, "no agent answers at %s any more", agent->socket);
	case CURLE_OPERATION_TIMEDOUT:
		return complain(agent, "the agent at %s does not answer", agent->socket);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return complain(agent, "the agent at %s went away", agent->socket);
	case CURLE_ABORTED_BY_CALLBACK:
		return complain(agent, "interrupted");
	default:
		return complain(agent, "asking the agent at %s: %s", agent->socket,
				agent->curl->easy_strerror(result));
	}
}

/* The document in the body; NULL with message when it is none of ours, or an error. */
static json_t *parse_body(struct agent *agent)
{
	json_t *document = json_loadb(agent->body.data ? agent->body.data : "", agent->body.len, 0,
				      NULL);
	long status = http_status(agent);

	if (strcmp(hs_doc_text(document, "apiVersion"), "hopscope/v1") != 0)
		complain(agent, "what answers at %s is no agent known to this hopscope (HTTP %ld)",
			 agent->socket, status);
	else if (status != 200)
		complain(agent, "the agent at %s: %s", agent->socket,
			 hs_doc_text(document, "message"));
	else
		return document;
	json_decref(document);
	return NULL;
}

static json_t *agent_get(struct hs_source *source, const char *name)
{
	struct agent *agent = (struct agent *)source;
	CURLcode result;

	agent->line = NULL;
	result = prepare(agent, name, DOCUMENT_TIMEOUT_MS);
	if (!result)
		result = transfer(agent, NULL);
	if (result) {
		explain(agent, result);
		return NULL;
	}
	return parse_body(agent);
}

static int agent_stream(struct hs_source *source, const char *name, const char *query,
			int (*line)(void *arg, const char *text, size_t length),
			int (*idle)(void *arg), void *arg)
{
	struct agent *agent = (struct agent *)source;
	char path[400];
	CURLcode result;

	snprintf(path, sizeof(path), "%s%s%s", name, *query ? "?" : "", query);
	agent->line = line;
	agent->arg = arg;
	result = prepare(agent, path, 0);
	if (!result)
		result = transfer(agent, idle);
	if (agent->stopped)
		return agent->stopped;
	if (result)
		return explain(agent, result);
	if (http_status(agent) == 200)
		return 0;
	json_decref(parse_body(agent));
	return -EIO;
}

static void agent_close(struct hs_source *source)
{
	struct agent *agent = (struct agent *)source;

	if (agent->easy)
		agent->curl->easy_cleanup(agent->easy);
	if (agent->multi)
		agent->curl->multi_cleanup(agent->multi);
	free(agent->body.data);
	free(agent->socket);
	free(agent);
}

/* Whether something listens there: before libcurl is loaded for nothing. 0 or -errno. */
static int probe(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, error = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static int explain_probe(const char *path, int error, char *message, size_t size)
{
	if (error == -EACCES || error == -EPERM) {
		snprintf(message, size, "not permitted to ask the agent at %s: try as root", path);
		return HS_EXIT_NOPERM;
	}
	if (error == -ECONNREFUSED)
		snprintf(message, size, "no agent answers at %s (the socket is of one that ended)",
			 path);
	else
		snprintf(message, size, "no agent at %s (%s)", path, strerror(-error));
	return HS_EXIT_UNAVAILABLE;
}

static struct agent *make(const struct hs_curl *curl, const char *socket)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return NULL;
	agent->source = (struct hs_source){
		.get = agent_get,
		.stream = agent_stream,
		.close = agent_close,
		.kind = "agent",
		.live = true,
	};
	agent->curl = curl;
	agent->socket = strdup(socket);
	agent->multi = curl->multi_init();
	agent->easy = curl->easy_init();
	if (agent->socket && agent->multi && agent->easy)
		return agent;
	agent_close(&agent->source);
	return NULL;
}

struct hs_source *hs_source_agent(const char *socket, char *message, size_t size, int *status)
{
	const struct hs_curl *curl;
	struct agent *agent;
	int error = probe(socket);

	if (error) {
		*status = explain_probe(socket, error, message, size);
		return NULL;
	}
	*status = HS_EXIT_SOFTWARE;
	curl = hs_curl_load(message, size);
	if (!curl)
		return NULL;
	agent = make(curl, socket);
	if (!agent) {
		snprintf(message, size, "out of memory");
		return NULL;
	}
	return &agent->source;
}
