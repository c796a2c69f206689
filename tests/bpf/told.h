/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What records of payload tell, of connections whose both ends are the test's. */
#ifndef HS_TEST_TOLD_H
#define HS_TEST_TOLD_H

#include "stand.h"

struct pair {
	int listener, client, server;
	uint64_t client_cookie, server_cookie;
};

struct pair open_pair(const struct address *address);
void close_pair(struct pair *pair);

#define TOLD_AHEAD_MAX 64

/* What one socket's records of a direction tell. Segments may arrive in another order than they were sent, on loopback too. */
struct told {
	uint64_t cookie;
	uint8_t direction;
	uint64_t records, bytes, captured; /* bytes: without a hole */
	uint32_t first, next;
	bool begun;
	size_t ahead_count;
	struct {
		uint32_t begin, end;
	} ahead[TOLD_AHEAD_MAX]; /* behind a hole */
	const uint8_t *expected; /* what the stream carries, or NULL */
};

struct told tell(uint64_t cookie, enum hs_direction direction, const void *expected);

/* Waits until so many bytes have been told of; then it is as many, without a hole. */
struct told await_bytes(uint64_t cookie, enum hs_direction direction, uint64_t bytes, const void *expected);

uint8_t *pattern(size_t size); /* to be freed */

/* Sends size bytes while a child of ours reads them. */
void stream(int from, int to, const uint8_t *bytes, size_t size);

#endif
