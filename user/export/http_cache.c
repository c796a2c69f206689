/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/http_cache.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "export/http.h"

void hs_cache_init(struct hs_cache *cache, int (*render)(void *arg, unsigned slot, FILE *out),
		   void *arg)
{
	*cache = (struct hs_cache){ .render = render, .arg = arg };
	pthread_mutex_init(&cache->lock, NULL);
}

static size_t body_bytes(const struct hs_body *body)
{
	return body->raw.size + body->gzip.size;
}

void hs_body_put(struct hs_body *body)
{
	if (--body->references)
		return;
	body->slot->bytes -= body_bytes(body);
	hs_blob_free(&body->raw);
	hs_blob_free(&body->gzip);
	free(body);
}

static bool is_fresh(const struct hs_body *body)
{
	return hs_monotonic_ns() - body->made_ns < HS_HTTP_CACHE_MS * HS_NS_PER_MS;
}

static void drop(struct hs_cache *cache, struct hs_cache_slot *slot)
{
	struct hs_body *body = slot->newest;

	if (!body)
		return;
	slot->newest = NULL;
	cache->held--;
	hs_body_put(body);
}

static int render(struct hs_cache *cache, const struct hs_cache_slot *slot, struct hs_blob *blob)
{
	FILE *out = hs_blob_open(blob);
	int error;

	if (!out)
		return -ENOMEM;
	error = cache->render(cache->arg, (unsigned)(slot - cache->slots), out);
	if (fclose(out) && !error)
		error = -ENOMEM;
	return error;
}

/* A new body with one reference, the cache's. */
static int make(struct hs_cache *cache, struct hs_cache_slot *slot)
{
	struct hs_body *body = calloc(1, sizeof(*body));
	int error = body ? render(cache, slot, &body->raw) : -ENOMEM;

	if (error) {
		if (body)
			hs_blob_free(&body->raw);
		free(body);
		return error;
	}
	body->slot = slot;
	body->references = 1;
	body->made_ns = hs_monotonic_ns();
	slot->bytes += body_bytes(body);
	slot->newest = body;
	cache->held++;
	return 0;
}

/* The newest body of a slot, made if need be. */
static int refresh(struct hs_cache *cache, struct hs_cache_slot *slot)
{
	const struct hs_body *newest = slot->newest;

	if (newest && is_fresh(newest))
		return 0;
	if (newest && newest->references > 1 && slot->bytes > HS_CACHE_MAX_BYTES)
		return 0;
	drop(cache, slot);
	return make(cache, slot);
}

static int zip(struct hs_body *body)
{
	int error;

	if (body->gzip.size)
		return 0;
	error = hs_blob_gzip(&body->raw, &body->gzip);
	body->slot->bytes += body->gzip.size;
	return error;
}

int hs_cache_get(struct hs_cache *cache, unsigned slot, bool gzip, struct hs_body **body)
{
	struct hs_cache_slot *wanted = &cache->slots[slot];
	int error;

	pthread_mutex_lock(&cache->lock);
	error = refresh(cache, wanted);
	if (!error && gzip)
		error = zip(wanted->newest);
	if (!error) {
		*body = wanted->newest;
		(*body)->references++;
	}
	pthread_mutex_unlock(&cache->lock);
	return error;
}

/*
 * Not waiting for the lock is a must: who calls this may hold the model's, and the rendering
 * that holds ours waits for that.
 */
void hs_cache_expire(struct hs_cache *cache)
{
	if (!cache->held || pthread_mutex_trylock(&cache->lock))
		return;
	for (unsigned i = 0; i < HS_CACHE_SLOTS; i++) {
		const struct hs_body *newest = cache->slots[i].newest;

		if (newest && newest->references == 1 && !is_fresh(newest))
			drop(cache, &cache->slots[i]);
	}
	pthread_mutex_unlock(&cache->lock);
}

void hs_cache_free(struct hs_cache *cache)
{
	for (unsigned i = 0; i < HS_CACHE_SLOTS; i++)
		drop(cache, &cache->slots[i]);
	pthread_mutex_destroy(&cache->lock);
}
