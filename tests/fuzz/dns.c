// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Datagrams between hostile resolvers and servers, as the model gets them. Each has a head of four bytes and
 * its payload: bit 7 of the first it arrives, bits 6 and 5 at which of four sockets, bit 4 at the server's
 * end, the low four bits whose; the second byte how much time goes by; the rest its length.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "l7/dns_message.h"
#include "model/model.h"

static void address(uint8_t bytes[16], uint8_t last)
{
	static const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, [12] = 10 };

	memcpy(bytes, v4, 16);
	bytes[15] = last;
}

static void feed(struct hs_model *model, const uint8_t *head, const uint8_t *bytes, size_t length, uint64_t now_ns)
{
	size_t size = (sizeof(struct hs_ev_datagram) + length + 7) & ~7ul;
	struct hs_ev_datagram *event = calloc(1, size);
	bool arrives = head[0] >> 7, server = head[0] >> 4 & 1;
	uint8_t socket = head[0] >> 5 & 3;

	event->event = (struct hs_event){ .kind = HS_EV_DATAGRAM, .size = size, .time_ns = now_ns };
	event->cookie = 1 + socket + 4 * server;
	event->direction = arrives ? HS_DIRECTION_INGRESS : HS_DIRECTION_EGRESS;
	event->pid = event->tid = arrives ? 0 : 10 + (head[0] & 15);
	event->length = event->captured = length;
	event->tuple.netns = 1;
	event->tuple.local_port = server ? HS_DNS_PORT : 40000 + socket;
	event->tuple.remote_port = server ? 40000 + socket : HS_DNS_PORT;
	address(event->tuple.local, server ? 1 : 2 + socket);
	address(event->tuple.remote, server ? 2 + (head[0] & 15) : 1);
	memcpy(event->bytes, bytes, length);
	hs_model_feed(model, &event->event);
	free(event);
}

/* The message alone, in memory of its own size. */
static void read_alone(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);
	struct hs_dns_address addresses[4];
	struct hs_dns_message message;

	memcpy(copy, bytes, length);
	if (!hs_dns_read(copy, length, &message))
		hs_fuzz_use(strlen(message.name) + hs_dns_addresses(copy, length, &message, addresses, 4));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hs_model_config config = hs_model_defaults;
	uint64_t now_ns = 1000000000;
	struct hs_model *model;

	config.max_edges = 4;
	config.max_workloads = 8;
	config.max_routes = 32;
	config.max_requests = 4;
	config.max_events = 16;
	model = hs_model_new(&config);
	while (size > 4) {
		size_t length = (data[2] << 8 | data[3]) % (HS_EV_DATAGRAM_BYTES + 1);

		if (length > size - 4)
			length = size - 4;
		now_ns += (uint64_t)data[1] * data[1] * 1000000;
		feed(model, data, data + 4, length, now_ns);
		read_alone(data + 4, length);
		hs_model_tick(model, now_ns);
		data += 4 + length;
		size -= 4 + length;
	}
	for (const struct hs_edge *edge = hs_model_edges(model); edge; edge = edge->hh.next)
		hs_fuzz_use(edge->lookups.count + edge->call_count);
	hs_model_tick(model, now_ns + 3600000000000ull);
	hs_model_free(model);
	return 0;
}
