// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Search lists: with "search a.b c" and ndots:5 in resolv.conf(5), a lookup of "x.y" becomes one of
 * x.y.a.b, then of x.y.c, and in the end of x.y itself. What was asked in vain on the way is counted
 * when a later query shows that it was a guess: one that has the same beginning and less behind it.
 * Where the name as it stands comes first, the guesses are those that have it at their beginning.
 */
#include <stdlib.h>

#include "l7/dns_message.h"
#include "model/private.h"

#define SEARCHES_MAX 1024
#define SEARCH_NS (5 * SECOND) /* from one guess to the next */
#define GUESSES 6              /* domains that a search list had for long */

struct hs_dns_search {
	struct search_key {
		uint32_t pid, netns;
		uint32_t type;
		char label[64]; /* the first */
	} key;
	uint64_t last_ns;
	unsigned count;
	char missed[GUESSES][HS_DNS_NAME_LEN]; /* no such names, oldest first; not known to be guesses */
	UT_hash_handle hh;
};

/* Does name begin with these labels, and go on? */
static bool extends(const char *name, const char *labels)
{
	size_t length = strlen(labels);

	return !strncmp(name, labels, length) && name[length] == '.';
}

/* How much of both is the same, in whole labels from the front; without the dot behind them. */
static size_t common_labels(const char *a, const char *b)
{
	size_t common = 0, i = 0;

	for (; a[i] && a[i] == b[i]; i++)
		if (a[i] == '.')
			common = i;
	if ((!a[i] || a[i] == '.') && (!b[i] || b[i] == '.'))
		common = i;
	return common;
}

/* Is the shorter name the longer one without some labels amid it, or without its last ones? */
static bool was_guess(const char *longer, const char *shorter)
{
	size_t common = common_labels(longer, shorter), length = strlen(longer);
	const char *rest = shorter + common, *tail;
	size_t rest_length = strlen(rest);

	if (!common || strlen(shorter) >= length)
		return false;
	tail = longer + length - rest_length;
	return !rest_length || (*rest == '.' && !strcmp(tail, rest));
}

static struct hs_dns_search *get(struct hs_model *model, const struct search_key *key, bool make)
{
	struct hs_dns_search *search;

	HASH_FIND(hh, model->dns_searches, key, sizeof(*key), search);
	if (search || !make)
		return search;
	search = calloc(1, sizeof(*search));
	if (!search)
		return NULL;
	if (HASH_COUNT(model->dns_searches) >= SEARCHES_MAX) {
		struct hs_dns_search *oldest = model->dns_searches;

		HASH_DEL(model->dns_searches, oldest);
		free(oldest);
	}
	search->key = *key;
	HASH_ADD(hh, model->dns_searches, key, sizeof(search->key), search);
	return search;
}

static void remove_at(struct hs_dns_search *search, unsigned index)
{
	search->count--;
	memmove(search->missed[index], search->missed[index + 1], (search->count - index) * sizeof(search->missed[0]));
}

static unsigned count_guesses(struct hs_dns_search *search, const char *name)
{
	unsigned misses = 0;

	for (unsigned i = 0; i < search->count;) {
		if (!was_guess(search->missed[i], name)) {
			i++;
			continue;
		}
		remove_at(search, i);
		misses++;
	}
	return misses;
}

/* There is no such name: known to be a guess already, or remembered. */
static unsigned miss(struct hs_dns_search *search, const char *name)
{
	for (unsigned i = 0; i < search->count; i++) {
		if (extends(name, search->missed[i]))
			return 1;
		if (!strcmp(name, search->missed[i]))
			return 0;
	}
	if (search->count == GUESSES)
		remove_at(search, 0);
	strcpy(search->missed[search->count++], name);
	return 0;
}

unsigned hs_dns_search_take(struct hs_model *model, uint32_t pid, uint32_t netns,
			    const struct hs_dns_message *answer, uint64_t time_ns)
{
	bool no_such_name = answer->rcode == HS_DNS_NXDOMAIN;
	struct search_key key = { .pid = pid, .netns = netns, .type = answer->type };
	size_t label = strcspn(answer->name, ".");
	struct hs_dns_search *search;
	unsigned misses;

	if (!label || label >= sizeof(key.label))
		return 0;
	memcpy(key.label, answer->name, label);
	search = get(model, &key, no_such_name);
	if (!search)
		return 0;
	if (search->last_ns + SEARCH_NS < time_ns)
		search->count = 0;
	search->last_ns = time_ns;
	misses = count_guesses(search, answer->name);
	if (no_such_name)
		misses += miss(search, answer->name);
	return misses;
}

void hs_dns_search_free_all(struct hs_model *model)
{
	struct hs_dns_search *search, *next;

	HASH_ITER(hh, model->dns_searches, search, next) {
		HASH_DEL(model->dns_searches, search);
		free(search);
	}
}
