// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of remote addresses: as those who went there had asked for them. An address may have many
 * names; a process means the one that it asked for last, and one that has not asked itself (its
 * resolver did, or it remembers) means what anybody asked for last.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "l7/dns_message.h"
#include "model/private.h"

#define NAMES_MAX 8192
#define ADDRESSES_MAX 32               /* of one answer */
#define REMEMBERED_NS (600 * SECOND)   /* programs keep what they were told for longer than they should */
#define REMEMBERED_MAX_NS (86400 * SECOND)
#define PAST 2                         /* names that an address had, the latest first */

struct hs_dns_name {
	struct name_key {
		uint8_t address[16];
		uint32_t pid; /* who asked; 0: the last one who did */
	} key;
	struct {
		char name[HS_NAME_LEN];
		uint64_t since_ns;
	} past[PAST];
	uint64_t until_ns;
	UT_hash_handle hh;
};

/* A name that no program of this node has for itself: with a dot, and nothing in it that was replaced. */
static bool is_usable(const char *name)
{
	size_t length = strlen(name);

	return length < HS_NAME_LEN && strchr(name, '.') && length > 1 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == length;
}

/* Elsewhere: what is nobody's, everybody's or our own has no name of its own. */
static bool is_remote(const uint8_t address[16])
{
	const struct in6_addr *in6 = (const void *)address;

	if (hs_address_is_loopback(address) || hs_address_is_any(address))
		return false;
	if (IN6_IS_ADDR_V4MAPPED(in6))
		return address[12] != 0 && address[12] < 224 && !(address[12] == 169 && address[13] == 254);
	return !IN6_IS_ADDR_MULTICAST(in6) && !IN6_IS_ADDR_LINKLOCAL(in6);
}

static struct name_key key_of(const uint8_t address[16], uint32_t pid)
{
	struct name_key key = { .pid = pid };

	memcpy(key.address, address, sizeof(key.address));
	return key;
}

static struct hs_dns_name *find(struct hs_model *model, const struct name_key *key)
{
	struct hs_dns_name *found;

	HASH_FIND(hh, model->dns_names, key, sizeof(*key), found);
	return found;
}

static void forget(struct hs_model *model, struct hs_dns_name *name)
{
	HASH_DEL(model->dns_names, name);
	free(name);
}

/* The entry, the last one in the list; NULL: no memory. */
static struct hs_dns_name *touch(struct hs_model *model, const struct name_key *key)
{
	struct hs_dns_name *entry = find(model, key);

	if (entry)
		HASH_DEL(model->dns_names, entry);
	else
		entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	if (HASH_COUNT(model->dns_names) >= NAMES_MAX)
		forget(model, model->dns_names);
	entry->key = *key;
	HASH_ADD(hh, model->dns_names, key, sizeof(entry->key), entry);
	return entry;
}

static void put(struct hs_model *model, const struct name_key *key, const char *name, uint64_t since_ns,
		uint64_t keep_ns)
{
	struct hs_dns_name *entry = touch(model, key);

	if (!entry)
		return;
	if (strcmp(entry->past[0].name, name)) {
		memmove(&entry->past[1], &entry->past[0], sizeof(entry->past) - sizeof(entry->past[0]));
		strcpy(entry->past[0].name, name);
		entry->past[0].since_ns = since_ns;
	}
	if (entry->until_ns < model->now_ns + keep_ns)
		entry->until_ns = model->now_ns + keep_ns;
}

void hs_dns_names_learn(struct hs_model *model, const struct hs_ev_datagram *event,
			const struct hs_dns_message *message, uint32_t pid)
{
	struct hs_dns_address addresses[ADDRESSES_MAX];
	uint64_t since_ns = event->event.time_ns;
	size_t count;

	if (!model->config.dns_names || !is_usable(message->name))
		return;
	count = hs_dns_addresses(event->bytes, event->captured, message, addresses, ADDRESSES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct name_key own = key_of(addresses[i].address, pid), any = key_of(addresses[i].address, 0);
		uint64_t keep_ns = addresses[i].ttl * SECOND;

		if (!is_remote(addresses[i].address))
			continue;
		if (keep_ns < REMEMBERED_NS)
			keep_ns = REMEMBERED_NS;
		if (keep_ns > REMEMBERED_MAX_NS)
			keep_ns = REMEMBERED_MAX_NS;
		if (pid)
			put(model, &own, message->name, since_ns, keep_ns);
		put(model, &any, message->name, since_ns, keep_ns);
	}
}

/* As it was called then; NULL: it had no name yet. What is used is kept. */
static const char *name_at(struct hs_model *model, const struct name_key *key, uint64_t time_ns)
{
	struct hs_dns_name *entry = find(model, key);

	if (!entry || entry->until_ns < model->now_ns)
		return NULL;
	for (int i = 0; i < PAST && entry->past[i].since_ns; i++) {
		if (entry->past[i].since_ns > time_ns)
			continue;
		if (entry->until_ns < model->now_ns + REMEMBERED_NS)
			entry->until_ns = model->now_ns + REMEMBERED_NS;
		return entry->past[i].name;
	}
	return NULL;
}

struct hs_workload *hs_workload_of_server(struct hs_model *model, const uint8_t address[16], uint32_t pid,
					  uint64_t begin_ns)
{
	struct name_key own = key_of(address, pid), any = key_of(address, 0);
	struct hs_identity identity = {};
	struct hs_workload *same = NULL;
	const char *name;

	if (!model->config.dns_names || hs_address_find(model, address))
		return hs_workload_of_address(model, address);
	name = pid ? name_at(model, &own, begin_ns) : NULL;
	if (!name)
		name = name_at(model, &any, begin_ns);
	if (name)
		HASH_FIND_STR(model->workloads, name, same);
	if (!name || (same && same->kind != HS_WORKLOAD_DNS))
		return hs_workload_of_address(model, address); /* a program here is called so, and is another one */
	memcpy(identity.name, name, HS_NAME_LEN);
	return hs_workload_get(model, &identity, HS_WORKLOAD_DNS);
}

void hs_dns_names_tick(struct hs_model *model)
{
	struct hs_dns_name *entry, *next;

	HASH_ITER(hh, model->dns_names, entry, next)
		if (entry->until_ns < model->now_ns)
			forget(model, entry);
}

void hs_dns_names_free_all(struct hs_model *model)
{
	while (model->dns_names)
		forget(model, model->dns_names);
}
