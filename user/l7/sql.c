// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * No grammar of SQL, but what is common to its dialects: the first word says what is done, certain
 * words announce a table, parentheses hold queries of their own.
 */
#include "l7/sql.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum phase {
	VERB, /* the first word */
	KIND, /* of what CREATE makes */
	WITH, /* its names, then the verb */
	BODY,
};

enum how { /* to find the table */
	NONE,
	FROM, /* SELECT … FROM */
	NEXT, /* UPDATE t, behind words that are no names */
	INTO,
	ON,
	KINDS, /* CREATE UNIQUE INDEX */
	EXPLAINED,
	WITHS,
};

enum previous { OTHER, OPEN, DISTINCT, INSERT, EQUALS };

struct verb {
	const char *word;
	enum how how;
};

/* Those that may come behind WITH and EXPLAIN are first. */
#define QUERY_VERBS 10
static const struct verb verbs[] = {
	{ "SELECT", FROM }, { "INSERT", NEXT }, { "UPDATE", NEXT }, { "DELETE", FROM }, { "REPLACE", NEXT },
	{ "MERGE", NEXT }, { "VALUES", NONE }, { "TABLE", NEXT }, { "WITH", WITHS }, { "EXECUTE", NONE },
	{ "BEGIN", NONE }, { "COMMIT", NONE }, { "ROLLBACK", NONE }, { "START", KINDS }, { "END", NONE },
	{ "ABORT", NONE }, { "SAVEPOINT", NONE }, { "RELEASE", NONE }, { "SET", NONE }, { "SHOW", NONE },
	{ "RESET", NONE }, { "USE", NONE }, { "CALL", NONE }, { "DO", NONE }, { "COPY", NEXT }, { "LOAD", INTO },
	{ "CREATE", KINDS }, { "DROP", KINDS }, { "ALTER", KINDS }, { "REFRESH", KINDS }, { "TRUNCATE", NEXT },
	{ "EXPLAIN", EXPLAINED }, { "DESCRIBE", NEXT }, { "DESC", NEXT }, { "LOCK", NEXT }, { "UNLOCK", NONE },
	{ "PREPARE", FROM }, { "DEALLOCATE", NONE }, { "DECLARE", FROM }, { "FETCH", NONE }, { "MOVE", NONE },
	{ "CLOSE", NONE }, { "OPEN", NONE }, { "HANDLER", NEXT }, { "LISTEN", NONE }, { "NOTIFY", NONE },
	{ "UNLISTEN", NONE }, { "DISCARD", NONE }, { "VACUUM", NEXT }, { "ANALYZE", NEXT }, { "ANALYSE", NEXT },
	{ "CLUSTER", NEXT }, { "REINDEX", NONE }, { "CHECKPOINT", NONE }, { "COMMENT", NONE }, { "GRANT", NONE },
	{ "REVOKE", NONE }, { "REASSIGN", NONE }, { "SECURITY", NONE }, { "IMPORT", NONE }, { "OPTIMIZE", NEXT },
	{ "REPAIR", NEXT }, { "CHECK", NEXT }, { "CHECKSUM", NEXT }, { "CACHE", NONE }, { "RENAME", NEXT },
	{ "FLUSH", NONE }, { "KILL", NONE }, { "PURGE", NONE }, { "CHANGE", NONE }, { "STOP", KINDS },
	{ "INSTALL", NONE }, { "UNINSTALL", NONE }, { "BINLOG", NONE }, { "XA", NONE }, { "SIGNAL", NONE },
	{ "RESIGNAL", NONE }, { "GET", NONE }, { "HELP", NONE }, { "BACKUP", NONE }, { "CLONE", NONE },
	{ "SHUTDOWN", NONE }, { "RESTART", NONE }, { "IDENTIFY_SYSTEM", NONE }, { "START_REPLICATION", NONE },
	{ "BASE_BACKUP", NONE }, { "TIMELINE_HISTORY", NONE }, { "CREATE_REPLICATION_SLOT", NONE },
	{ "READ_REPLICATION_SLOT", NONE }, { "DROP_REPLICATION_SLOT", NONE },
};

static const struct verb kinds[] = {
	{ "TABLE", NEXT }, { "VIEW", NEXT }, { "INDEX", ON }, { "TRIGGER", ON }, { "POLICY", ON }, { "RULE", NONE },
	{ "DATABASE", NONE }, { "SCHEMA", NONE }, { "SEQUENCE", NONE }, { "FUNCTION", NONE }, { "PROCEDURE", NONE },
	{ "ROUTINE", NONE }, { "PACKAGE", NONE }, { "TYPE", NONE }, { "DOMAIN", NONE }, { "USER", NONE }, { "ROLE", NONE },
	{ "GROUP", NONE }, { "EXTENSION", NONE }, { "PUBLICATION", NONE }, { "SUBSCRIPTION", NONE },
	{ "AGGREGATE", NONE }, { "CAST", NONE }, { "COLLATION", NONE }, { "CONVERSION", NONE }, { "OPERATOR", NONE },
	{ "SERVER", NONE }, { "STATISTICS", NONE }, { "TABLESPACE", NONE }, { "EVENT", NONE }, { "LANGUAGE", NONE },
	{ "SYSTEM", NONE }, { "TRANSACTION", NONE }, { "SLAVE", NONE }, { "REPLICA", NONE }, { "INSTANCE", NONE },
	{ "MATERIALIZED", KINDS }, { "FOREIGN", KINDS },
};

/* They stand between a verb and the kind of its object. */
static const char *const before_kind[] = {
	"OR", "REPLACE", "TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL", "LOCAL", "UNIQUE", "FULLTEXT", "SPATIAL",
	"RECURSIVE", "CONSTRAINT", "TRUSTED", "PROCEDURAL", "DEFINER", "SQL", "SECURITY", "INVOKER",
	"ALGORITHM", "UNDEFINED", "MERGE", "TEMPTABLE", "DEFAULT", "ALL", "ONLINE", "OFFLINE", "IGNORE", NULL,
};

/* They stand between the word that announces a table and its name. */
static const char *const before_table[] = {
	"INTO", "ONLY", "TABLE", "TABLES", "IF", "NOT", "EXISTS", "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY",
	"DELAYED", "QUICK", "CONCURRENTLY", "LATERAL", "FULL", "FREEZE", "VERBOSE", "ANALYZE", "ANALYSE", "EXTENDED",
	"LOCAL", "NO_WRITE_TO_BINLOG", "BINARY", "OVERWRITE", "FROM", NULL,
};

static bool is(const struct hs_sql *sql, const char *word)
{
	return !strcasecmp(sql->lexer.word, word);
}

static bool is_any(const struct hs_sql *sql, const char *const *words)
{
	while (*words && !is(sql, *words))
		words++;
	return *words;
}

static const struct verb *find(const struct hs_sql *sql, const struct verb *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is(sql, list[i].word))
			return &list[i];
	return NULL;
}

#define COUNT(LIST) (sizeof(LIST) / sizeof(*(LIST)))

/* FNV-1a */
static uint32_t hash(const char *text)
{
	uint32_t value = 2166136261u;

	for (; *text; text++)
		value = (value ^ (uint8_t)(*text >= 'A' && *text <= 'Z' ? *text | 0x20 : *text)) * 16777619u;
	return value;
}

/* ---- parentheses ---- */

static uint64_t bit(unsigned depth)
{
	return depth < 64 ? 1ull << depth : 0;
}

static bool is_query(const struct hs_sql *sql)
{
	return sql->queries & bit(sql->depth);
}

static void open(struct hs_sql *sql)
{
	if (sql->depth < UINT16_MAX)
		sql->depth++;
	sql->queries &= ~bit(sql->depth);
	if (sql->wants_table && sql->is_from)
		sql->table_depth = sql->depth; /* FROM (a JOIN b) */
}

static void close(struct hs_sql *sql)
{
	sql->queries &= ~bit(sql->depth);
	if (sql->depth)
		sql->depth--;
	if (sql->table_depth > sql->depth)
		sql->wants_table = false;
}

/* ---- tables ---- */

static void want_table(struct hs_sql *sql, bool is_from)
{
	sql->wants_table = true;
	sql->is_from = is_from;
	sql->table_depth = sql->depth;
}

/* Of the statement itself, or of a query within? */
static char *place(struct hs_sql *sql)
{
	return sql->phase == BODY && sql->depth == sql->level ? sql->target : sql->inner;
}

static void name_part(struct hs_sql *sql)
{
	char *name = place(sql);
	size_t length = strlen(name);

	snprintf(name + length, HS_TARGET_LEN - length, "%s%s", length ? "." : "", sql->lexer.word);
}

static bool begin_name(struct hs_sql *sql)
{
	sql->wants_table = false;
	if (*place(sql))
		return false; /* not the first */
	sql->is_naming = true;
	sql->is_dotted = false;
	name_part(sql);
	return true;
}

static bool is_with(const struct hs_sql *sql, const char *name)
{
	for (size_t i = 0; i < sql->with_count; i++)
		if (sql->withs[i] == hash(name))
			return true;
	return false;
}

/* is_call: a parenthesis follows. */
static void end_name(struct hs_sql *sql, bool is_call)
{
	char *name = place(sql);

	sql->is_naming = false;
	if ((is_call && sql->is_from) || !strcasecmp(name, "dual") || is_with(sql, name))
		*name = '\0'; /* a function, MySQL's word for none, the result of a query */
	else if (name == sql->target)
		sql->done = true;
}

/* True: the token is a part of the name. */
static bool take_name(struct hs_sql *sql, enum hs_sql_token token)
{
	if (token == HS_SQL_MARK && sql->lexer.word[0] == '.' && !sql->is_dotted) {
		sql->is_dotted = true;
		return true;
	}
	if (sql->is_dotted && (token == HS_SQL_WORD || token == HS_SQL_NAME)) {
		sql->is_dotted = false;
		name_part(sql);
		return true;
	}
	end_name(sql, token == HS_SQL_MARK && sql->lexer.word[0] == '(');
	return false;
}

/* True: the token is one of those where a table is announced. */
static bool take_table(struct hs_sql *sql, enum hs_sql_token token)
{
	bool is_word = token == HS_SQL_WORD;
	bool is_subquery = is_word && (is(sql, "SELECT") || is(sql, "WITH") || is(sql, "VALUES"));

	if (sql->depth != sql->table_depth && !is_subquery)
		return true; /* options in parentheses */
	if (is_word && is_any(sql, before_table))
		return true;
	if (token == HS_SQL_NAME || (is_word && !is_subquery))
		return begin_name(sql);
	if (token == HS_SQL_MARK && (sql->lexer.word[0] == '(' || sql->lexer.word[0] == ')'))
		return false;
	sql->wants_table = false;
	return token == HS_SQL_VALUE;
}

/* ---- words ---- */

static void append_operation(struct hs_sql *sql, const char *word)
{
	size_t length = strlen(sql->operation);

	snprintf(sql->operation + length, sizeof(sql->operation) - length, "%s%s", length ? " " : "", word);
}

static void enter(struct hs_sql *sql, enum how how)
{
	sql->how = how;
	sql->phase = how == KINDS ? KIND : how == WITHS ? WITH : how == EXPLAINED ? VERB : BODY;
	sql->level = sql->depth;
	sql->is_explained |= how == EXPLAINED;
	sql->queries |= how == FROM ? bit(sql->depth) : 0;
	sql->done = how == NONE;
	if (how == NEXT)
		want_table(sql, false);
}

static void take_verb(struct hs_sql *sql)
{
	bool within = sql->is_explained || sql->phase == WITH;
	const struct verb *verb = find(sql, verbs, within ? QUERY_VERBS : COUNT(verbs));

	if (within && (!verb || sql->depth != sql->level))
		return; /* an option of EXPLAIN */
	if (!sql->is_explained && !(verb && verb->how == WITHS))
		append_operation(sql, verb ? verb->word : "_OTHER");
	enter(sql, verb ? verb->how : NONE);
	if (verb && (is(sql, "DECLARE") || is(sql, "PREPARE")))
		sql->queries = 0; /* not before its SELECT */
}

static void take_kind(struct hs_sql *sql)
{
	const struct verb *kind = find(sql, kinds, COUNT(kinds));

	if (kind) {
		append_operation(sql, kind->word);
		enter(sql, kind->how);
	} else if (!is_any(sql, before_kind) && sql->previous != EQUALS) {
		sql->done = true;
	}
}

/* A word of the statement, or of a query within. */
static void take_body(struct hs_sql *sql)
{
	bool here = sql->depth == sql->level;

	if (is(sql, "SELECT") || is(sql, "DELETE"))
		sql->queries |= bit(sql->depth);
	else if (is(sql, "FROM") && is_query(sql) && sql->previous != DISTINCT)
		want_table(sql, true);
	else if (is(sql, "JOIN") && is_query(sql))
		want_table(sql, true);
	else if (is(sql, "INTO") && (sql->previous == INSERT || (here && sql->how == INTO)))
		want_table(sql, false);
	else if (is(sql, "UPDATE") && sql->previous == OPEN)
		want_table(sql, true);
	else if (is(sql, "ON") && here && sql->how == ON)
		want_table(sql, false);
}

static void take_with(struct hs_sql *sql, bool is_quoted)
{
	if (sql->depth != sql->level) {
		take_body(sql);
		return;
	}
	if (!is_quoted && find(sql, verbs, QUERY_VERBS))
		take_verb(sql);
	else if (sql->with_count < HS_SQL_WITHS_MAX && (is_quoted || !is(sql, "AS")))
		sql->withs[sql->with_count++] = hash(sql->lexer.word);
}

static void take_word(struct hs_sql *sql)
{
	switch (sql->phase) {
	case VERB:
		take_verb(sql);
		break;
	case KIND:
		take_kind(sql);
		break;
	case WITH:
		take_with(sql, false);
		break;
	case BODY:
		take_body(sql);
		break;
	}
	sql->previous = is(sql, "DISTINCT") ? DISTINCT :
			is(sql, "INSERT") || is(sql, "REPLACE") || is(sql, "MERGE") ? INSERT : OTHER;
}

static void take_mark(struct hs_sql *sql)
{
	char mark = sql->lexer.word[0];

	sql->previous = mark == '(' ? OPEN : mark == '=' || mark == '@' ? EQUALS : OTHER;
	if (mark == '(')
		open(sql);
	else if (mark == ')')
		close(sql);
	else if (mark == ';' && !sql->depth && (*sql->operation || sql->phase != VERB))
		hs_sql_end(sql);
}

static void take(struct hs_sql *sql, enum hs_sql_token token)
{
	if (sql->is_naming && (take_name(sql, token) || sql->done))
		return;
	if (sql->wants_table && take_table(sql, token) && token != HS_SQL_MARK)
		return;
	if (token == HS_SQL_WORD) {
		take_word(sql);
	} else if (token == HS_SQL_MARK) {
		take_mark(sql);
	} else if (sql->phase == VERB && !sql->is_explained) { /* it begins with a literal */
		append_operation(sql, "_OTHER");
		sql->done = true;
	} else if (sql->phase == WITH && token == HS_SQL_NAME) {
		take_with(sql, true);
	}
}

/* ---- the text ---- */

void hs_sql_begin(struct hs_sql *sql, enum hs_sql_dialect dialect)
{
	memset(sql, 0, sizeof(*sql));
	hs_sql_lexer_begin(&sql->lexer, dialect);
}

static void take_byte(struct hs_sql *sql, uint8_t byte)
{
	bool again = true;

	while (again && !sql->done) {
		enum hs_sql_token token = hs_sql_lexer_step(&sql->lexer, byte, &again);

		if (token)
			take(sql, token);
	}
}

void hs_sql_feed(struct hs_sql *sql, const void *text, size_t length)
{
	const uint8_t *bytes = text;

	for (size_t i = 0; i < length && !sql->done; i++)
		take_byte(sql, bytes[i]);
}

void hs_sql_end(struct hs_sql *sql)
{
	if (sql->done)
		return;
	take_byte(sql, ' ');
	if (sql->is_naming)
		end_name(sql, false);
	if (!*sql->operation && sql->phase == WITH)
		append_operation(sql, "WITH");
	if (!*sql->target)
		memcpy(sql->target, sql->inner, sizeof(sql->target));
	sql->done = true;
}

#define GLANCE 64 /* bytes of a text that are looked at */

bool hs_sql_is_statement(enum hs_sql_dialect dialect, const uint8_t *text, size_t length)
{
	size_t end = strnlen((const char *)text, length < GLANCE ? length : GLANCE);
	struct hs_sql sql;

	for (size_t i = 0; i < end; i++)
		if (text[i] < ' ' && !strchr("\t\n\v\f\r", text[i]))
			return false;
	if (!end || (text[0] && strchr("(-/#; \t\r\n", text[0])))
		return end;
	hs_sql_begin(&sql, dialect);
	hs_sql_feed(&sql, text, end);
	hs_sql_end(&sql);
	return *sql.operation && *sql.operation != '_';
}
