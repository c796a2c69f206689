/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SQL text does, and to which table. It is read in pieces and not kept; of its literals
 * nothing is. Of several statements the first counts.
 */
#ifndef HS_L7_SQL_H
#define HS_L7_SQL_H

#include "l7/call.h"
#include "l7/sql_lexer.h"

#define HS_SQL_WITHS_MAX 16

struct hs_sql {
	char operation[HS_OPERATION_LEN]; /* "SELECT", "CREATE TABLE", "_OTHER"; "" no statement */
	char target[HS_TARGET_LEN];       /* the first table, as it is written, without quotes; "" none */
	bool done;                        /* what is to come changes nothing */
	/* private */
	struct hs_sql_lexer lexer;
	char inner[HS_TARGET_LEN];        /* the first table of the queries within the statement */
	uint32_t withs[HS_SQL_WITHS_MAX]; /* hashes of the names that WITH defines */
	uint64_t queries;                 /* bit n: a query that may have a FROM, n parentheses deep */
	uint8_t with_count;
	uint8_t phase, previous, how, list;
	uint16_t depth, level;            /* parentheses now, and where the statement itself began */
	uint16_t table_depth;
	bool wants_table, is_from, is_naming, is_dotted, is_explained;
};

void hs_sql_begin(struct hs_sql *sql, enum hs_sql_dialect dialect);
void hs_sql_feed(struct hs_sql *sql, const void *text, size_t length);
void hs_sql_end(struct hs_sql *sql); /* no more is to come, or is not seen */

/* Is this how a statement begins? To tell a text from anything else: it ends with a NUL, or after length. */
bool hs_sql_is_statement(enum hs_sql_dialect dialect, const uint8_t *text, size_t length);

#endif
