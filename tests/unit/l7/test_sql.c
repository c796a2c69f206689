// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sample {
	const char *text, *expected; /* "OPERATION table" */
};

/* In pieces of `step` bytes, and no more than `stop` of them. */
static void read_text(struct hs_sql *sql, enum hs_sql_dialect dialect, const char *text, size_t step, size_t stop)
{
	size_t length = strlen(text);

	hs_sql_begin(sql, dialect);
	for (size_t at = 0; at < length && at < stop; at += step) {
		size_t piece = length - at < step ? length - at : step;
		char *copy = malloc(piece); /* its own: a read beyond it is seen */

		memcpy(copy, text + at, piece);
		hs_sql_feed(sql, copy, piece);
		free(copy);
	}
	hs_sql_end(sql);
}

static void check(enum hs_sql_dialect dialect, const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(samples[i].text);

		for (size_t step = 1; step <= length; step++) {
			char found[HS_OPERATION_LEN + HS_TARGET_LEN];
			struct hs_sql sql;

			read_text(&sql, dialect, samples[i].text, step, SIZE_MAX);
			snprintf(found, sizeof(found), "%s %s", *sql.operation ? sql.operation : "-",
				 *sql.target ? sql.target : "-");
			if (strcmp(found, samples[i].expected))
				print_error("%s\n", samples[i].text);
			assert_string_equal(found, samples[i].expected);
		}
		for (size_t stop = 0; stop < length; stop++) {
			struct hs_sql sql;

			read_text(&sql, dialect, samples[i].text, 1, stop);
		}
	}
}

#define CHECK(DIALECT, ...)                                                                \
	do {                                                                               \
		const struct sample samples_[] = { __VA_ARGS__ };                          \
		check(DIALECT, samples_, sizeof(samples_) / sizeof(*samples_));            \
	} while (0)
#define POSTGRESQL(...) CHECK(HS_SQL_POSTGRESQL, __VA_ARGS__)
#define MYSQL(...) CHECK(HS_SQL_MYSQL, __VA_ARGS__)
#define BOTH(...)                         \
	do {                              \
		POSTGRESQL(__VA_ARGS__);  \
		MYSQL(__VA_ARGS__);       \
	} while (0)

static void test_operations(void **state)
{
	(void)state;
	BOTH({ "select 1", "SELECT -" }, { "SELECT * FROM users WHERE id = 7", "SELECT users" },
	     { "insert into orders(a, b) values (1, 'x')", "INSERT orders" },
	     { "UPDATE t SET a = 1 WHERE b", "UPDATE t" }, { "delete from t where 1=1", "DELETE t" },
	     { "REPLACE INTO t VALUES (1)", "REPLACE t" }, { "BEGIN", "BEGIN -" }, { "commit;", "COMMIT -" },
	     { "ROLLBACK TO SAVEPOINT s", "ROLLBACK -" }, { "END;", "END -" }, { "SET a = 'b'", "SET -" },
	     { "CALL p(1, 'from t')", "CALL -" }, { "TRUNCATE TABLE t", "TRUNCATE t" }, { "truncate t", "TRUNCATE t" },
	     { "START TRANSACTION READ ONLY", "START TRANSACTION -" }, { "SHOW tables from x", "SHOW -" },
	     { "GRANT SELECT ON t TO u", "GRANT -" }, { "revoke select on t from u", "REVOKE -" },
	     { "frobnicate t", "_OTHER -" }, { "'x' select", "_OTHER -" }, { "", "- -" }, { " ; ;\n", "- -" },
	     { ";;select 1 from t", "SELECT t" }, { "VALUES (1)", "VALUES -" }, { "LOCK TABLE t IN x MODE", "LOCK t" });
}

static void test_definitions(void **state)
{
	(void)state;
	BOTH({ "CREATE TABLE t (id int)", "CREATE TABLE t" },
	     { "create temporary table if not exists s.t as select * from u", "CREATE TABLE s.t" },
	     { "CREATE OR REPLACE VIEW v AS SELECT * FROM t", "CREATE VIEW v" },
	     { "CREATE UNIQUE INDEX i ON t (a)", "CREATE INDEX t" }, { "DROP TABLE IF EXISTS a, b", "DROP TABLE a" },
	     { "ALTER TABLE t ADD COLUMN c int", "ALTER TABLE t" }, { "DROP DATABASE d", "DROP DATABASE -" },
	     { "CREATE TRIGGER x AFTER INSERT OR UPDATE ON t FOR EACH ROW", "CREATE TRIGGER t" },
	     { "CREATE SOMETHING TABLE", "CREATE -" }, { "create role r password 'x'", "CREATE ROLE -" });
	POSTGRESQL({ "CREATE UNLOGGED TABLE t()", "CREATE TABLE t" },
		   { "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY public.t USING gin(a)", "CREATE INDEX public.t" },
		   { "REFRESH MATERIALIZED VIEW CONCURRENTLY v", "REFRESH MATERIALIZED VIEW v" },
		   { "CREATE FOREIGN TABLE t()", "CREATE FOREIGN TABLE t" },
		   { "CREATE PUBLICATION p FOR TABLE t", "CREATE PUBLICATION -" });
	MYSQL({ "CREATE DEFINER=`root`@`localhost` SQL SECURITY DEFINER VIEW v AS SELECT 1", "CREATE VIEW v" },
	      { "CREATE ALGORITHM=UNDEFINED DEFINER = root@localhost TRIGGER x BEFORE INSERT ON t", "CREATE TRIGGER t" },
	      { "drop index i on t", "DROP INDEX t" });
}

static void test_names(void **state)
{
	(void)state;
	BOTH({ "SELECT * FROM a.b.c", "SELECT a.b.c" }, { "SELECT * FROM a . b x", "SELECT a.b" },
	     { "select x.y from Users as x", "SELECT Users" }, { "SELECT 1 FROM\n\tt\n", "SELECT t" },
	     { "UPDATE t", "UPDATE t" }, { "INSERT INTO größe VALUES (1)", "INSERT größe" },
	     { "SELECT * FROM a, b", "SELECT a" }, { "SELECT * FROM a JOIN b ON a.x = b.x", "SELECT a" });
	POSTGRESQL({ "SELECT * FROM \"public\".\"My Table\"", "SELECT public.My Table" },
		   { "SELECT * FROM \"a\"\"b\"", "SELECT a\"b" }, { "UPDATE ONLY t SET a = 1", "UPDATE t" },
		   { "SELECT * FROM t$1", "SELECT t$1" }, { "COPY t (a, b) FROM STDIN", "COPY t" },
		   { "COPY (SELECT a FROM u) TO STDOUT", "COPY u" }, { "VACUUM (FULL, PARALLEL 4) t", "VACUUM t" },
		   { "VACUUM", "VACUUM -" }, { "TABLE t", "TABLE t" }, { "MERGE INTO t USING s ON 1=1", "MERGE t" });
	MYSQL({ "SELECT * FROM `db`.`t``x`", "SELECT db.t`x" }, { "INSERT t VALUES (1)", "INSERT t" },
	      { "INSERT IGNORE INTO t VALUES (1)", "INSERT t" }, { "UPDATE LOW_PRIORITY IGNORE t SET a=1", "UPDATE t" },
	      { "DELETE a, b FROM a JOIN b", "DELETE a" }, { "SELECT 1 FROM DUAL", "SELECT -" },
	      { "LOAD DATA LOCAL INFILE '/x' REPLACE INTO TABLE t", "LOAD t" }, { "OPTIMIZE TABLE t", "OPTIMIZE t" },
	      { "SELECT @@version", "SELECT -" }, { "LOCK TABLES t WRITE", "LOCK t" });
}

static void test_queries_within(void **state)
{
	(void)state;
	BOTH({ "SELECT (SELECT max(a) FROM inner_t) x FROM t", "SELECT t" },
	     { "SELECT * FROM (SELECT a FROM t) s", "SELECT t" },
	     { "SELECT * FROM (((SELECT a FROM t)))", "SELECT t" }, { "SELECT * FROM (a JOIN b)", "SELECT a" },
	     { "(SELECT * FROM a) UNION (SELECT * FROM b)", "SELECT a" },
	     { "INSERT INTO t SELECT * FROM u", "INSERT t" }, { "SELECT EXTRACT(YEAR FROM d) FROM t", "SELECT t" },
	     { "SELECT trim(both 'x' FROM y)", "SELECT -" }, { "SELECT a IS DISTINCT FROM b FROM t", "SELECT t" },
	     { "WITH x AS (SELECT * FROM t) SELECT * FROM x", "SELECT t" },
	     { "WITH x AS (SELECT 1), y(a, b) AS (SELECT * FROM x) SELECT * FROM real_t JOIN y", "SELECT real_t" },
	     { "WITH RECURSIVE x AS (SELECT 1) UPDATE t SET a = 1", "UPDATE t" },
	     { "WITH x AS (SELECT 1) SELECT * FROM x JOIN t ON 1=1", "SELECT t" }, { "WITH x AS (", "WITH -" },
	     { "SELECT * FROM generate_series(1, 10) g JOIN t ON 1=1", "SELECT t" },
	     { "SELECT now()", "SELECT -" }, { "EXPLAIN SELECT * FROM t", "EXPLAIN t" },
	     { "SELECT a FROM t WHERE x IN (SELECT y FROM u)", "SELECT t" },
	     { "SELECT 1 WHERE EXISTS (SELECT 1 FROM u)", "SELECT u" });
	POSTGRESQL({ "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x", "SELECT t" },
		   { "WITH x AS NOT MATERIALIZED (DELETE FROM t RETURNING *) SELECT * FROM x", "SELECT t" },
		   { "WITH x AS (UPDATE t SET a = 1 RETURNING *) SELECT 1", "SELECT t" },
		   { "EXPLAIN (ANALYZE, BUFFERS) WITH x AS (SELECT 1) DELETE FROM t", "EXPLAIN t" },
		   { "EXPLAIN ANALYZE VERBOSE UPDATE t SET a = 1", "EXPLAIN t" },
		   { "DECLARE c CURSOR FOR SELECT * FROM t", "DECLARE t" },
		   { "PREPARE p AS SELECT * FROM t WHERE a = $1", "PREPARE t" },
		   { "SELECT * FROM t FOR UPDATE", "SELECT t" }, { "SELECT * FROM ROWS FROM (f(1))", "SELECT ROWS" });
}

static void test_comments(void **state)
{
	(void)state;
	BOTH({ "/* from x */ SELECT /* from y */ 1 -- from z\nFROM t", "SELECT t" },
	     { "-- only this", "- -" }, { "/* never ends select 1 from t", "- -" }, { "SELECT 1 - 2 / 3 FROM t", "SELECT t" },
	     { "/**/SELECT 1 FROM/***/t", "SELECT t" });
	POSTGRESQL({ "/* a /* b */ select 1 from x */ SELECT 1 FROM t", "SELECT t" },
		   { "SELECT 1 # 2 FROM t", "SELECT t" }, { "SELECT 1 --x\nFROM t", "SELECT t" });
	MYSQL({ "# from x\nSELECT 1 FROM t", "SELECT t" }, { "SELECT 5--1 FROM t", "SELECT t" },
	      { "/*!40101 SET NAMES utf8 */", "SET -" }, { "/*M!100100 SELECT 1 FROM t */", "SELECT t" },
	      { "SELECT /*!40001 SQL_NO_CACHE */ * FROM t", "SELECT t" }, { "SELECT 2 * 3 FROM t", "SELECT t" },
	      { "SELECT /*+ MAX_EXECUTION_TIME(1) */ 1 FROM t", "SELECT t" }, { "SELECT 1 --\nFROM t", "SELECT t" });
}

/* What is in a literal is no word, and goes nowhere. */
static void test_literals(void **state)
{
	(void)state;
	BOTH({ "SELECT 'from x' FROM t", "SELECT t" }, { "SELECT 'it''s from x' FROM t", "SELECT t" },
	     { "SELECT '' FROM t", "SELECT t" }, { "SELECT 1.5e3 FROM t", "SELECT t" },
	     { "INSERT INTO 'secret' VALUES (1)", "INSERT -" }, { "SELECT * FROM 'secret'", "SELECT -" },
	     { "SELECT 'never ends from t", "SELECT -" }, { "SELECT * FROM 1", "SELECT -" });
	POSTGRESQL({ "SELECT 'C:\\' FROM t", "SELECT t" }, { "SELECT E'it\\'s from x' FROM t", "SELECT t" },
		   { "SELECT $$ from x ' $$ FROM t", "SELECT t" }, { "SELECT $a$ $$ $b$ $a $a$ FROM t", "SELECT t" },
		   { "SELECT $1, $2 FROM t", "SELECT t" }, { "DO $x$ BEGIN SELECT 1 FROM t; END $x$", "DO -" },
		   { "SELECT B'1', X'f' FROM t", "SELECT t" }, { "SELECT $a$ never ends", "SELECT -" });
	MYSQL({ "SELECT 'it\\'s from x' FROM t", "SELECT t" }, { "SELECT \"from x\" FROM t", "SELECT t" },
	      { "SELECT \"a\\\" from x\" FROM t", "SELECT t" }, { "SELECT * FROM \"secret\"", "SELECT -" },
	      { "SELECT _utf8'from x', x'41' FROM t", "SELECT t" });
}

static void test_several(void **state)
{
	(void)state;
	BOTH({ "SELECT 1; SELECT * FROM t", "SELECT -" }, { "BEGIN; INSERT INTO t VALUES (1); COMMIT", "BEGIN -" },
	     { "DELETE FROM a;DELETE FROM b", "DELETE a" });
}

/* However long and deep: bounded. */
static void test_long(void **state)
{
	struct hs_sql sql;

	(void)state;
	hs_sql_begin(&sql, HS_SQL_POSTGRESQL);
	hs_sql_feed(&sql, "SELECT ", 7);
	for (int i = 0; i < 100000; i++)
		hs_sql_feed(&sql, "(", 1);
	for (int i = 0; i < 100000; i++)
		hs_sql_feed(&sql, "column_x, ", 10);
	for (int i = 0; i < 100000; i++)
		hs_sql_feed(&sql, ")", 1);
	hs_sql_feed(&sql, " FROM ", 6);
	for (int i = 0; i < 1000; i++)
		hs_sql_feed(&sql, "long", 4);
	for (int i = 0; i < 100; i++)
		hs_sql_feed(&sql, ".part", 5);
	hs_sql_end(&sql);
	assert_string_equal(sql.operation, "SELECT");
	assert_true(strlen(sql.target) < sizeof(sql.target));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations), cmocka_unit_test(test_definitions), cmocka_unit_test(test_names),
		cmocka_unit_test(test_queries_within), cmocka_unit_test(test_comments), cmocka_unit_test(test_literals),
		cmocka_unit_test(test_several), cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
