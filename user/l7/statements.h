/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the prepared statements of a connection do: by key, in bounded number, the least recently used goes first. */
#ifndef HS_L7_STATEMENTS_H
#define HS_L7_STATEMENTS_H

#include <stdint.h>

#include "l7/sql.h"

#define HS_STATEMENTS_MAX 1024

struct hs_statement;
struct hs_statements {
	struct hs_statement *table; /* a hash table in the order of use */
};

/* In place of what the key named before. Without memory the statement is not known. */
void hs_statements_put(struct hs_statements *statements, uint64_t key, const char *operation, const char *target);
void hs_statements_remove(struct hs_statements *statements, uint64_t key);
/* Its operation and target to fields of a call; both are emptied when the key is not known. */
void hs_statements_get(struct hs_statements *statements, uint64_t key, struct hs_call *call);
/* A name for what another key names now. */
void hs_statements_copy(struct hs_statements *to, uint64_t to_key, struct hs_statements *from, uint64_t from_key);
void hs_statements_free(struct hs_statements *statements);

#endif
