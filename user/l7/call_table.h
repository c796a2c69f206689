/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls by id, where a protocol has thousands of them under way on one connection. */
#ifndef HS_L7_CALL_TABLE_H
#define HS_L7_CALL_TABLE_H

#include "l7/call.h"

/* Zeroed is empty. */
struct hs_call_table {
	struct hs_call **bucket;
	unsigned bits; /* how many of them: 1 << bits, where there are any */
	size_t count;
};

/* Borrowed until it is removed; its id must not change meanwhile. False: memory is short. */
bool hs_call_table_add(struct hs_call_table *table, struct hs_call *call);
/* The oldest with that id; NULL: there is none. */
struct hs_call *hs_call_table_find(const struct hs_call_table *table, uint32_t id);
void hs_call_table_remove(struct hs_call_table *table, struct hs_call *call);
void hs_call_table_free(struct hs_call_table *table);

#endif
