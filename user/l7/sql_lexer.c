// SPDX-License-Identifier: GPL-2.0-or-later
/* PostgreSQL: manual, 4.1 "Lexical Structure". MySQL: manual, 11 "Language Structure". */
#include "l7/sql_lexer.h"

#include <string.h>

enum state {
	BETWEEN, /* tokens */
	WORD,
	NUMBER,
	QUOTED,         /* a literal */
	QUOTED_ESCAPE,  /* … behind a backslash */
	QUOTED_END,     /* … behind its quote, which may be the first of two */
	NAME,
	NAME_END,
	DASH,           /* it may begin a comment */
	DASHES,         /* MySQL: only a space makes a comment of them */
	SLASH,
	LINE,           /* a comment to the end of the line */
	COMMENT_BEGIN,
	COMMENT,
	COMMENT_STAR,   /* it may end */
	COMMENT_SLASH,  /* PostgreSQL: another one may begin within */
	VERSION,        /* MySQL: what a comment of that version holds is executed: its number */
	VERSION_M,
	STAR,           /* MySQL: it may be the end of such a comment */
	DOLLAR,         /* PostgreSQL: a parameter, or the tag of a quote */
	DOLLAR_BODY,
	DOLLAR_END,     /* the tag may have come again */
};

typedef enum hs_sql_token step(struct hs_sql_lexer *lexer, uint8_t byte, bool *again);

static bool is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r') || !byte;
}

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}

static void keep(struct hs_sql_lexer *lexer, uint8_t byte)
{
	if (lexer->length < HS_SQL_WORD_LEN - 1)
		lexer->word[lexer->length++] = byte;
	lexer->word[lexer->length] = '\0';
}

static enum hs_sql_token enter(struct hs_sql_lexer *lexer, enum state state)
{
	lexer->state = state;
	return HS_SQL_NOTHING;
}

static enum hs_sql_token leave(struct hs_sql_lexer *lexer, enum hs_sql_token token)
{
	lexer->state = BETWEEN;
	return token;
}

static enum hs_sql_token mark(struct hs_sql_lexer *lexer, uint8_t byte)
{
	lexer->length = 0;
	keep(lexer, byte);
	return leave(lexer, HS_SQL_MARK);
}

static enum hs_sql_token begin_quoted(struct hs_sql_lexer *lexer, uint8_t quote, bool escapes)
{
	lexer->quote = quote;
	lexer->escapes = escapes;
	return enter(lexer, QUOTED);
}

static enum hs_sql_token begin_quote(struct hs_sql_lexer *lexer, uint8_t byte)
{
	bool mysql = lexer->dialect == HS_SQL_MYSQL;

	if (byte == '\'' || (mysql && byte == '"'))
		return begin_quoted(lexer, byte, mysql);
	lexer->quote = byte;
	return enter(lexer, NAME);
}

static enum hs_sql_token between(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	bool mysql = lexer->dialect == HS_SQL_MYSQL;

	(void)again;
	if (is_space(byte))
		return HS_SQL_NOTHING;
	lexer->length = 0;
	if (is_letter(byte) || (mysql && byte == '$')) {
		keep(lexer, byte);
		return enter(lexer, WORD);
	}
	if (is_digit(byte))
		return enter(lexer, NUMBER);
	if (byte == '\'' || byte == '"' || (mysql && byte == '`'))
		return begin_quote(lexer, byte);
	if (byte == '-')
		return enter(lexer, DASH);
	if (byte == '/')
		return enter(lexer, SLASH);
	if (byte == '$') {
		lexer->word[0] = '\0';
		return enter(lexer, DOLLAR);
	}
	if (mysql && byte == '#')
		return enter(lexer, LINE);
	if (mysql && byte == '*')
		return enter(lexer, STAR);
	return mark(lexer, byte);
}

static enum hs_sql_token word(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (is_letter(byte) || is_digit(byte) || byte == '$') {
		keep(lexer, byte);
		return HS_SQL_NOTHING;
	}
	if (byte == '\'' && lexer->dialect == HS_SQL_POSTGRESQL) /* E'…' */
		return begin_quoted(lexer, byte, lexer->length == 1 && (lexer->word[0] | 0x20) == 'e');
	*again = true;
	return leave(lexer, HS_SQL_WORD);
}

static enum hs_sql_token number(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (is_letter(byte) || is_digit(byte) || byte == '.')
		return HS_SQL_NOTHING;
	*again = true;
	return leave(lexer, HS_SQL_VALUE);
}

static enum hs_sql_token quoted(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	(void)again;
	if (byte == '\\' && lexer->escapes)
		return enter(lexer, QUOTED_ESCAPE);
	return byte == lexer->quote ? enter(lexer, QUOTED_END) : HS_SQL_NOTHING;
}

static enum hs_sql_token quoted_escape(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	(void)byte, (void)again;
	return enter(lexer, QUOTED);
}

static enum hs_sql_token quoted_end(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte == lexer->quote)
		return enter(lexer, QUOTED);
	*again = true;
	return leave(lexer, HS_SQL_VALUE);
}

static enum hs_sql_token name(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	(void)again;
	if (byte == lexer->quote)
		return enter(lexer, NAME_END);
	keep(lexer, byte);
	return HS_SQL_NOTHING;
}

static enum hs_sql_token name_end(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte == lexer->quote) {
		keep(lexer, byte);
		return enter(lexer, NAME);
	}
	*again = true;
	return leave(lexer, HS_SQL_NAME);
}

/* ---- comments ---- */

static enum hs_sql_token dash(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte == '-')
		return enter(lexer, lexer->dialect == HS_SQL_MYSQL ? DASHES : LINE);
	*again = true;
	return mark(lexer, '-');
}

static enum hs_sql_token dashes(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte != '\n' && is_space(byte))
		return enter(lexer, LINE);
	*again = byte != '\n';
	return leave(lexer, HS_SQL_NOTHING);
}

static enum hs_sql_token slash(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte == '*') {
		lexer->nesting = 1;
		return enter(lexer, COMMENT_BEGIN);
	}
	*again = true;
	return mark(lexer, '/');
}

static enum hs_sql_token line(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	(void)again;
	return byte == '\n' ? leave(lexer, HS_SQL_NOTHING) : HS_SQL_NOTHING;
}

static enum hs_sql_token comment_begin(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (lexer->dialect == HS_SQL_MYSQL && (byte == '!' || byte == 'M'))
		return enter(lexer, byte == '!' ? VERSION : VERSION_M);
	*again = true;
	return enter(lexer, COMMENT);
}

static enum hs_sql_token comment(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	(void)again;
	if (byte == '*')
		return enter(lexer, COMMENT_STAR);
	if (byte == '/' && lexer->dialect == HS_SQL_POSTGRESQL)
		return enter(lexer, COMMENT_SLASH);
	return HS_SQL_NOTHING;
}

static enum hs_sql_token comment_star(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte == '/')
		return enter(lexer, --lexer->nesting ? COMMENT : BETWEEN);
	*again = true;
	return enter(lexer, COMMENT);
}

static enum hs_sql_token comment_slash(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	*again = byte != '*';
	if (byte == '*' && lexer->nesting < UINT16_MAX)
		lexer->nesting++;
	return enter(lexer, COMMENT);
}

static enum hs_sql_token version(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (is_digit(byte))
		return HS_SQL_NOTHING;
	*again = true;
	return leave(lexer, HS_SQL_NOTHING);
}

static enum hs_sql_token version_m(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	*again = byte != '!';
	return enter(lexer, byte == '!' ? VERSION : COMMENT);
}

static enum hs_sql_token star(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte == '/')
		return leave(lexer, HS_SQL_NOTHING);
	*again = true;
	return mark(lexer, '*');
}

/* ---- $1 and $tag$ … $tag$ ---- */

static enum hs_sql_token dollar(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte == '$')
		return enter(lexer, DOLLAR_BODY);
	if (is_digit(byte) && !lexer->length)
		return enter(lexer, NUMBER);
	if (is_letter(byte) || is_digit(byte)) {
		keep(lexer, byte);
		return HS_SQL_NOTHING;
	}
	*again = true;
	return leave(lexer, HS_SQL_VALUE);
}

static enum hs_sql_token dollar_body(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	(void)again;
	lexer->matched = 0;
	return byte == '$' ? enter(lexer, DOLLAR_END) : HS_SQL_NOTHING;
}

static enum hs_sql_token dollar_end(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	if (byte == '$' && lexer->matched == lexer->length)
		return leave(lexer, HS_SQL_VALUE);
	if (lexer->matched < lexer->length && byte == (uint8_t)lexer->word[lexer->matched]) {
		lexer->matched++;
		return HS_SQL_NOTHING;
	}
	*again = true;
	return enter(lexer, DOLLAR_BODY);
}

static step *const steps[] = {
	[BETWEEN] = between, [WORD] = word, [NUMBER] = number, [QUOTED] = quoted,
	[QUOTED_ESCAPE] = quoted_escape, [QUOTED_END] = quoted_end, [NAME] = name, [NAME_END] = name_end,
	[DASH] = dash, [DASHES] = dashes, [SLASH] = slash, [LINE] = line, [COMMENT_BEGIN] = comment_begin,
	[COMMENT] = comment, [COMMENT_STAR] = comment_star, [COMMENT_SLASH] = comment_slash,
	[VERSION] = version, [VERSION_M] = version_m, [STAR] = star, [DOLLAR] = dollar,
	[DOLLAR_BODY] = dollar_body, [DOLLAR_END] = dollar_end,
};

void hs_sql_lexer_begin(struct hs_sql_lexer *lexer, enum hs_sql_dialect dialect)
{
	memset(lexer, 0, sizeof(*lexer));
	lexer->dialect = dialect;
}

enum hs_sql_token hs_sql_lexer_step(struct hs_sql_lexer *lexer, uint8_t byte, bool *again)
{
	*again = false;
	return steps[lexer->state](lexer, byte, again);
}
