/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rendered documents, shared by the clients that ask for the same one within HS_HTTP_CACHE_MS.
 * One rendering at a time, whatever the number of clients: they share the model's lock with the
 * data path. Knows nothing of HTTP.
 */
#ifndef HS_EXPORT_HTTP_CACHE_H
#define HS_EXPORT_HTTP_CACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "export/blob.h"

#define HS_CACHE_SLOTS 8

/*
 * Slow readers keep old bodies alive. With more than this of one document, the newest is given
 * again, however old; http_routes.c bounds how long one may take to be sent.
 */
#define HS_CACHE_MAX_BYTES ((size_t)32 << 20)

struct hs_body {
	struct hs_cache_slot *slot;
	_Atomic unsigned references;
	uint64_t made_ns;
	struct hs_blob raw, gzip; /* gzip is empty until somebody asks for it */
};

struct hs_cache_slot {
	struct hs_body *newest; /* or NULL */
	_Atomic size_t bytes;   /* of its bodies alive, those of slow readers too */
};

struct hs_cache {
	pthread_mutex_t lock; /* held while rendering */
	struct hs_cache_slot slots[HS_CACHE_SLOTS];
	_Atomic unsigned held; /* how many slots have a newest */
	/* Writes the document of a slot. 0 or -errno. */
	int (*render)(void *arg, unsigned slot, FILE *out);
	void *arg;
};

void hs_cache_init(struct hs_cache *cache, int (*render)(void *arg, unsigned slot, FILE *out),
		   void *arg);
void hs_cache_free(struct hs_cache *cache); /* all bodies must have been put back */

/*
 * The document of a slot, with its gzip form if that is asked for; the caller gives it back with
 * hs_body_put(). 0, -ENOMEM or what render() said.
 */
int hs_cache_get(struct hs_cache *cache, unsigned slot, bool gzip, struct hs_body **body);
void hs_body_put(struct hs_body *body);

/* Let go of what is too old to be given again. Never waits. */
void hs_cache_expire(struct hs_cache *cache);

#endif
