// SPDX-License-Identifier: GPL-2.0-or-later
/* The addresses of this node, learned from the sockets that use them. */
#include <netinet/in.h>
#include <stdlib.h>

#include "model/private.h"

#define MAX_ADDRESSES 4096
#define ADDRESS_TTL (3600 * SECOND)

bool hs_address_is_loopback(const uint8_t address[16])
{
	const struct in6_addr *in6 = (const void *)address;

	return IN6_IS_ADDR_V4MAPPED(in6) ? address[12] == 127 : IN6_IS_ADDR_LOOPBACK(in6);
}

bool hs_address_is_any(const uint8_t address[16])
{
	static const uint8_t v4_any[16] = { [10] = 0xff, [11] = 0xff };

	return IN6_IS_ADDR_UNSPECIFIED((const struct in6_addr *)address) || !memcmp(address, v4_any, 16);
}

const struct hs_address *hs_address_find(struct hs_model *model, const uint8_t address[16])
{
	struct hs_address *found;

	HASH_FIND(hh, model->addresses, address, 16, found);
	return found;
}

void hs_address_learn(struct hs_model *model, const uint8_t address[16], uint32_t netns)
{
	struct hs_address *found = (struct hs_address *)hs_address_find(model, address);

	if (found) {
		found->netns = netns;
		found->seen_ns = model->now_ns;
		return;
	}
	if (hs_address_is_any(address) || HASH_COUNT(model->addresses) >= MAX_ADDRESSES)
		return; /* without it, ends are joined by tuple all the same, only later */
	found = calloc(1, sizeof(*found));
	if (!found)
		return;
	memcpy(found->address, address, 16);
	found->netns = netns;
	found->seen_ns = model->now_ns;
	HASH_ADD(hh, model->addresses, address, 16, found);
}

void hs_address_tick(struct hs_model *model)
{
	struct hs_address *address, *next;

	HASH_ITER(hh, model->addresses, address, next) {
		if (address->seen_ns + ADDRESS_TTL < model->now_ns) {
			HASH_DEL(model->addresses, address);
			free(address);
		}
	}
}

void hs_address_free_all(struct hs_model *model)
{
	struct hs_address *address, *next;

	HASH_ITER(hh, model->addresses, address, next) {
		HASH_DEL(model->addresses, address);
		free(address);
	}
}
