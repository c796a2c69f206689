// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/call_table.h"

#include <stdlib.h>

#define FIRST_BITS 4

/* Fibonacci hashing: ids that are counted up, by whatever step, are spread evenly. */
static size_t index_of(uint32_t id, unsigned bits)
{
	return (uint32_t)(id * 0x9e3779b1u) >> (32 - bits);
}

static void append(struct hs_call **bucket, struct hs_call *call)
{
	while (*bucket)
		bucket = &(*bucket)->same;
	*bucket = call;
	call->same = NULL;
}

static bool grow(struct hs_call_table *table)
{
	unsigned bits = table->bucket ? table->bits + 1 : FIRST_BITS;
	struct hs_call **bucket = calloc((size_t)1 << bits, sizeof(*bucket));

	if (!bucket)
		return false;
	for (size_t i = 0; table->bucket && i < (size_t)1 << table->bits; i++) {
		struct hs_call *call, *next;

		for (call = table->bucket[i]; call; call = next) {
			next = call->same;
			append(&bucket[index_of(call->id, bits)], call);
		}
	}
	free(table->bucket);
	table->bucket = bucket;
	table->bits = bits;
	return true;
}

bool hs_call_table_add(struct hs_call_table *table, struct hs_call *call)
{
	if ((!table->bucket || table->count >> table->bits) && !grow(table))
		return false;
	append(&table->bucket[index_of(call->id, table->bits)], call);
	table->count++;
	return true;
}

struct hs_call *hs_call_table_find(const struct hs_call_table *table, uint32_t id)
{
	struct hs_call *call = table->bucket ? table->bucket[index_of(id, table->bits)] : NULL;

	while (call && call->id != id)
		call = call->same;
	return call;
}

void hs_call_table_remove(struct hs_call_table *table, struct hs_call *call)
{
	struct hs_call **link = &table->bucket[index_of(call->id, table->bits)];

	while (*link != call)
		link = &(*link)->same;
	*link = call->same;
	table->count--;
}

void hs_call_table_free(struct hs_call_table *table)
{
	free(table->bucket);
	*table = (struct hs_call_table){};
}
