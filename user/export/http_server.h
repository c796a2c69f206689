/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server's parts; user/export/http*.c are the only files that know libmicrohttpd. */
#ifndef HS_EXPORT_HTTP_SERVER_H
#define HS_EXPORT_HTTP_SERVER_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>

#include "export/http.h"
#include "export/http_cache.h"
#include "export/http_listen.h"
#include "export/http_query.h"

#define HS_HTTP_MAX_FOLLOWERS 32

struct hs_stream;

/* Clients that follow events or requests, see http_stream.c. */
struct hs_followers {
	pthread_mutex_t lock; /* of list and of their waiting; never held with the model's */
	struct hs_stream *list;
	_Atomic unsigned count, waiting; /* of both */
	_Atomic unsigned requests;       /* of these */
	_Atomic uint64_t generation; /* counts the wakes */
	_Atomic uint64_t missed;
	_Atomic bool stopping;
};

struct hs_http {
	struct hs_http_config config;
	struct hs_cache cache;
	struct hs_followers followers;
	struct hs_tcp_listener tcp;
	struct hs_unix_listener unix_socket;
	struct MHD_Daemon *daemons[2]; /* TCP and unix socket: the library has one listener each */
};

/* Answers. Each queues a response on the connection. */
enum MHD_Result hs_http_text(struct MHD_Connection *connection, unsigned status, const char *text);
__attribute__((format(printf, 3, 4))) enum MHD_Result hs_http_error(
	struct MHD_Connection *connection, unsigned status, const char *format, ...);
enum MHD_Result hs_http_events(struct hs_http *http, struct MHD_Connection *connection);
enum MHD_Result hs_http_requests(struct hs_http *http, struct MHD_Connection *connection);

/* Queues and lets go of response; NULL (no memory) closes the connection. */
enum MHD_Result hs_http_queue(struct MHD_Connection *connection, unsigned status,
			      struct MHD_Response *response, const char *content_type);

/* The access handler: routes in http_routes.c. */
enum MHD_Result hs_http_handle(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **state);

/* Renders the document of a cache slot. */
int hs_http_render(void *arg, unsigned slot, FILE *out);

void hs_followers_init(struct hs_followers *followers);
void hs_followers_free(struct hs_followers *followers);
void hs_followers_wake(struct hs_followers *followers);

/* Wakes those whose client has gone, so that their connections end; nothing else would notice. */
void hs_followers_reap(struct hs_followers *followers);

#endif
