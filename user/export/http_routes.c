/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each path answers. */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "export/accept.h"
#include "export/http_server.h"
#include "export/json.h"
#include "export/json_writer.h"
#include "export/prometheus.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BLOCK_BYTES 32768
#define MAX_SEND_NS (60 * HS_NS_PER_SEC) /* slower readers of a body are cut off */
#define STUCK_SECONDS 30                 /* the model's clock ticks every second */

#define ALLOWED_METHODS MHD_HTTP_METHOD_GET ", " MHD_HTTP_METHOD_HEAD

/* Slots of the cache: the documents, and the two forms of the metrics. */
enum slot {
	SLOT_TEXT,
	SLOT_OPENMETRICS,
	SLOT_GRAPH,
	SLOT_ROUTES,
	SLOT_CONNECTIONS,
	SLOT_LISTENERS,
	SLOT_FINDINGS,
	SLOT_STATUS,
	SLOT_MAX
};
static_assert(SLOT_MAX <= HS_CACHE_SLOTS, "slots");

static const char *const documents[SLOT_MAX] = {
	[SLOT_GRAPH] = "graph",
	[SLOT_ROUTES] = "routes",
	[SLOT_CONNECTIONS] = "connections",
	[SLOT_LISTENERS] = "listeners",
	[SLOT_FINDINGS] = "findings",
	[SLOT_STATUS] = "status",
};

static int write_slot(FILE *out, unsigned slot, const struct hs_view *view)
{
	if (documents[slot])
		return hs_json_document(out, documents[slot], view);
	return hs_prometheus_write(
		out, slot == SLOT_TEXT ? HS_EXPOSITION_TEXT : HS_EXPOSITION_OPENMETRICS, view);
}

int hs_http_render(void *arg, unsigned slot, FILE *out)
{
	const struct hs_http *http = arg;
	int error = write_slot(out, slot, http->config.lock(http->config.arg, true));

	http->config.unlock(http->config.arg);
	return error;
}

enum MHD_Result hs_http_queue(struct MHD_Connection *connection, unsigned status,
			      struct MHD_Response *response, const char *content_type)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, ALLOWED_METHODS);
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static struct MHD_Response *response_of(const char *text)
{
	return MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
}

enum MHD_Result hs_http_text(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return hs_http_queue(connection, status, response_of(text), "text/plain; charset=utf-8");
}

static void write_error(FILE *out, const char *message)
{
	struct hs_json json;

	hs_json_begin(&json, out);
	hs_json_open(&json, NULL, '{');
	hs_json_put_text(&json, "apiVersion", "hopscope/v1");
	hs_json_put_text(&json, "kind", "Error");
	hs_json_put_text(&json, "message", message);
	hs_json_close(&json, '}');
	hs_json_end(&json);
}

enum MHD_Result hs_http_error(struct MHD_Connection *connection, unsigned status,
			      const char *format, ...)
{
	char message[512], body[sizeof(message) * 6 + 128]; /* "\u0001" is six times its byte */
	FILE *out = fmemopen(body, sizeof(body), "w");
	va_list args;

	if (!out)
		return MHD_NO;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	write_error(out, message);
	fclose(out);
	return hs_http_queue(connection, status, response_of(body), "application/json");
}

/* A body on its way to one client. */
struct sending {
	struct hs_body *body;
	const struct hs_blob *blob;
	uint64_t until_ns;
};

static ssize_t read_body(void *cls, uint64_t position, char *buffer, size_t size)
{
	const struct sending *sending = cls;
	size_t left = sending->blob->size - position;

	if (hs_monotonic_ns() > sending->until_ns)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (size > left)
		size = left;
	memcpy(buffer, sending->blob->data + position, size);
	return (ssize_t)size;
}

static void free_sending(void *cls)
{
	struct sending *sending = cls;

	hs_body_put(sending->body);
	free(sending);
}

static struct MHD_Response *send_body(struct hs_body *body, bool gzip)
{
	struct sending *sending = malloc(sizeof(*sending));
	struct MHD_Response *response = NULL;

	if (sending) {
		*sending = (struct sending){
			.body = body,
			.blob = gzip ? &body->gzip : &body->raw,
			.until_ns = hs_monotonic_ns() + MAX_SEND_NS,
		};
		response = MHD_create_response_from_callback(sending->blob->size, BLOCK_BYTES,
							     read_body, sending, free_sending);
	}
	if (!response) {
		hs_body_put(body);
		free(sending);
		return NULL;
	}
	if (gzip)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
	return response;
}

struct request {
	struct hs_http *http;
	struct MHD_Connection *connection;
	unsigned slot; /* of the route */
};

static const char *header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result answer_slot(const struct request *request, unsigned slot,
				   const char *content_type)
{
	bool gzip = hs_accept_gzip(header(request, MHD_HTTP_HEADER_ACCEPT_ENCODING));
	struct hs_body *body;
	int error = hs_cache_get(&request->http->cache, slot, gzip, &body);

	if (error)
		return hs_http_error(request->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s",
				     strerror(-error));
	return hs_http_queue(request->connection, MHD_HTTP_OK, send_body(body, gzip), content_type);
}

static enum MHD_Result answer_document(const struct request *request)
{
	return answer_slot(request, request->slot, "application/json");
}

static enum MHD_Result answer_metrics(const struct request *request)
{
	enum hs_exposition exposition =
		hs_exposition_negotiate(header(request, MHD_HTTP_HEADER_ACCEPT));

	return answer_slot(request, exposition == HS_EXPOSITION_TEXT ? SLOT_TEXT : SLOT_OPENMETRICS,
			   hs_exposition_content_type(exposition));
}

static enum MHD_Result answer_events(const struct request *request)
{
	return hs_http_events(request->http, request->connection);
}

static enum MHD_Result answer_requests(const struct request *request)
{
	return hs_http_requests(request->http, request->connection);
}

/* A probe: "ok", or 503 with what is wrong. It renders nothing and brings nothing up to date. */
static enum MHD_Result answer_probe(const struct request *request,
				    const char *(*wrong)(const struct hs_view *view))
{
	const struct hs_http_config *config = &request->http->config;
	const char *reason = wrong(config->lock(config->arg, false));

	config->unlock(config->arg);
	return hs_http_text(request->connection,
			    reason ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK,
			    reason ? reason : "ok\n");
}

/* Getting the lock shows that nobody hangs with it; the model's clock shows that the loop turns. */
static const char *unalive_reason(const struct hs_view *view)
{
	uint64_t ticked_ns = hs_model_now(view->model);

	if (ticked_ns && hs_monotonic_ns() > ticked_ns + STUCK_SECONDS * HS_NS_PER_SEC)
		return "the event loop does not turn\n";
	return NULL;
}

static enum MHD_Result answer_livez(const struct request *request)
{
	return answer_probe(request, unalive_reason);
}

static const char *unready_reason(const struct hs_view *view)
{
	size_t attached = 0;

	for (size_t i = 0; i < view->hook_count; i++)
		attached += view->hooks[i].attached;
	if (view->ready)
		return NULL;
	if (!attached)
		return "no hook is attached\n";
	return view->pass_count ? "not ready\n" : "the first snapshot is not done\n";
}

static enum MHD_Result answer_readyz(const struct request *request)
{
	return answer_probe(request, unready_reason);
}

static enum MHD_Result answer_index(const struct request *request)
{
	return hs_http_text(request->connection, MHD_HTTP_OK,
			    "hopscope\n\n"
			    "/metrics             Prometheus or OpenMetrics\n"
			    "/api/v1/graph        who calls whom\n"
			    "/api/v1/routes       calls by operation and route\n"
			    "/api/v1/requests     recent calls; ?last=N, ?since=5m, ?follow=1\n"
			    "/api/v1/connections  live connections\n"
			    "/api/v1/listeners    listening sockets\n"
			    "/api/v1/findings     what failed or hangs, and why\n"
			    "/api/v1/events       recent events; ?last=N, ?since=5m, ?follow=1\n"
			    "/api/v1/status       hooks, capabilities, losses\n"
			    "/livez /readyz       probes\n");
}

static const struct route {
	const char *path;
	enum MHD_Result (*answer)(const struct request *request);
	unsigned slot;
} routes[] = {
	{ "/", answer_index, 0 },
	{ "/metrics", answer_metrics, 0 },
	{ "/api/v1/graph", answer_document, SLOT_GRAPH },
	{ "/api/v1/routes", answer_document, SLOT_ROUTES },
	{ "/api/v1/requests", answer_requests, 0 },
	{ "/api/v1/connections", answer_document, SLOT_CONNECTIONS },
	{ "/api/v1/listeners", answer_document, SLOT_LISTENERS },
	{ "/api/v1/findings", answer_document, SLOT_FINDINGS },
	{ "/api/v1/status", answer_document, SLOT_STATUS },
	{ "/api/v1/events", answer_events, 0 },
	{ "/livez", answer_livez, 0 },
	{ "/readyz", answer_readyz, 0 },
};

static enum MHD_Result route(struct hs_http *http, struct MHD_Connection *connection,
			     const char *url)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct request request = { http, connection, routes[i].slot };

		if (!strcmp(url, routes[i].path))
			return routes[i].answer(&request);
	}
	return hs_http_error(connection, MHD_HTTP_NOT_FOUND,
			     "no such path: %.256s; / lists what there is", url);
}

enum MHD_Result hs_http_handle(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **state)
{
	static char begun;

	(void)version;
	(void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return hs_http_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				     "method %.32s is not allowed: expected GET or HEAD", method);
	if (!*state || *upload_size) { /* headers, or a body nobody asked for */
		*state = &begun;
		*upload_size = 0;
		return MHD_YES;
	}
	hs_followers_reap(&((struct hs_http *)cls)->followers);
	return route(cls, connection, url);
}
