/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server, the only place that knows libmicrohttpd. It runs on threads of its own
 * and reaches the model only through the callbacks below, so that no client, however slow
 * or hostile, can hold up the data path for longer than one rendering; and renderings are
 * rate-limited: a body younger than HS_HTTP_CACHE_MS is given again.
 */
#ifndef HS_EXPORT_HTTP_H
#define HS_EXPORT_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "export/view.h"

#define HS_HTTP_CACHE_MS 200

struct hs_http_config {
	const char *listen; /* "127.0.0.1:9464", "[::1]:9464", ":9464" all addresses; NULL none */
	const char *socket; /* path of a unix socket, mode 0660; NULL none */
	/*
	 * Lock the model and give a view of it, brought up to date first when fresh is set;
	 * unlock ends the use of the view.
	 */
	const struct hs_view *(*lock)(void *arg, bool fresh);
	void (*unlock)(void *arg);
	void *arg;
};

struct hs_http;

/*
 * Starts serving. 0 and *http, or -errno with a line for the user in message (address in
 * use, bad address, path not writable …).
 */
int hs_http_start(const struct hs_http_config *config, struct hs_http **http, char *message,
		  size_t size);

/* Ends all connections, streams too. NULL is fine; the caller must not hold the model's lock. */
void hs_http_stop(struct hs_http *http);

/* New events are in the model: wake the streams that wait. Cheap when nobody does; NULL is fine. */
void hs_http_wake(struct hs_http *http);

/*
 * About once a second: lets go of bodies that are too old to be given again (they can be large)
 * and of streams whose clients have gone while nothing happened. Cheap; NULL is fine.
 */
void hs_http_tick(struct hs_http *http);

/* Clients that stream events now, and events that slow ones have missed so far. */
unsigned hs_http_followers(const struct hs_http *http);
unsigned hs_http_request_followers(const struct hs_http *http); /* those of them that stream requests */
uint64_t hs_http_missed(const struct hs_http *http);
uint16_t hs_http_port(const struct hs_http *http); /* as bound: listen may say port 0 */

#endif
