// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without memory a statement is not known: better than none of them. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct hs_statement {
	uint64_t key;
	char operation[HS_OPERATION_LEN];
	UT_hash_handle hh;
	size_t room;   /* in target */
	char target[]; /* ended by NUL */
};

static void drop(struct hs_statements *statements, struct hs_statement *statement)
{
	HASH_DEL(statements->table, statement);
	free(statement);
}

static struct hs_statement *find(struct hs_statements *statements, uint64_t key)
{
	struct hs_statement *found;

	HASH_FIND(hh, statements->table, &key, sizeof(key), found);
	return found;
}

static void add(struct hs_statements *statements, struct hs_statement *statement)
{
	statement->hh.tbl = NULL;
	HASH_ADD(hh, statements->table, key, sizeof(statement->key), statement);
	if (!statement->hh.tbl)
		free(statement);
}

static void use(struct hs_statements *statements, struct hs_statement *statement)
{
	if (!statement->hh.next)
		return; /* the last one already */
	HASH_DEL(statements->table, statement);
	add(statements, statement);
}

static struct hs_statement *make(struct hs_statements *statements, uint64_t key, size_t length)
{
	struct hs_statement *statement;

	if (HASH_COUNT(statements->table) >= HS_STATEMENTS_MAX)
		drop(statements, statements->table); /* the first is the oldest */
	statement = calloc(1, sizeof(*statement) + length + 1);
	if (!statement)
		return NULL;
	statement->key = key;
	statement->room = length + 1;
	return statement;
}

void hs_statements_put(struct hs_statements *statements, uint64_t key, const char *operation, const char *target)
{
	size_t length = strnlen(target, HS_TARGET_LEN - 1);
	struct hs_statement *found = find(statements, key), *statement = found;

	if (found && found->room <= length) {
		drop(statements, found);
		found = NULL;
	}
	if (!found)
		statement = make(statements, key, length);
	if (!statement)
		return;
	snprintf(statement->operation, sizeof(statement->operation), "%s", operation);
	memcpy(statement->target, target, length);
	statement->target[length] = '\0';
	if (found)
		use(statements, found);
	else
		add(statements, statement);
}

void hs_statements_remove(struct hs_statements *statements, uint64_t key)
{
	struct hs_statement *found = find(statements, key);

	if (found)
		drop(statements, found);
}

void hs_statements_get(struct hs_statements *statements, uint64_t key, struct hs_call *call)
{
	struct hs_statement *found = find(statements, key);

	*call->operation = *call->target = '\0';
	if (!found)
		return;
	strcpy(call->operation, found->operation);
	strcpy(call->target, found->target);
	use(statements, found);
}

void hs_statements_copy(struct hs_statements *to, uint64_t to_key, struct hs_statements *from, uint64_t from_key)
{
	struct hs_statement *found = find(from, from_key);

	if (found)
		hs_statements_put(to, to_key, found->operation, found->target);
	else
		hs_statements_remove(to, to_key);
}

void hs_statements_free(struct hs_statements *statements)
{
	while (statements->table)
		drop(statements, statements->table);
}
