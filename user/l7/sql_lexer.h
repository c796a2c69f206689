/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of an SQL text that comes in pieces: one byte at a time, in bounded memory. Literals are told
 * from names, and none of their bytes is kept.
 */
#ifndef HS_L7_SQL_LEXER_H
#define HS_L7_SQL_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hs_sql_dialect {
	HS_SQL_POSTGRESQL,
	HS_SQL_MYSQL, /* and MariaDB */
};

enum hs_sql_token {
	HS_SQL_NOTHING, /* none has ended here */
	HS_SQL_WORD,    /* a keyword or a plain name */
	HS_SQL_NAME,    /* a quoted one */
	HS_SQL_VALUE,   /* a literal, a number, a parameter */
	HS_SQL_MARK,    /* any other character */
};

#define HS_SQL_WORD_LEN 128 /* longer ones are cut */

struct hs_sql_lexer {
	char word[HS_SQL_WORD_LEN]; /* of a word or name, ended by NUL; meanwhile the tag of a quote */
	uint8_t length;
	uint8_t matched;  /* how much of the tag has come again */
	uint8_t dialect, state;
	uint8_t quote;    /* the character that ends what is quoted */
	bool escapes;     /* a backslash keeps the next character from ending it */
	uint16_t nesting; /* of comments */
};

void hs_sql_lexer_begin(struct hs_sql_lexer *lexer, enum hs_sql_dialect dialect);

/*
 * What has ended with this byte. *again: the byte itself belongs to what comes next, and has to be given
 * once more. The mark of HS_SQL_MARK is in word[0]. A space at the end of a text ends its last token.
 */
enum hs_sql_token hs_sql_lexer_step(struct hs_sql_lexer *lexer, uint8_t byte, bool *again);

#endif
