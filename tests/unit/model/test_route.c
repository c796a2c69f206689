// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "hopscope/count.h"
#include "model/route.h"

static void test_routes(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" }, { "/", "/" }, { "*", "*" }, { "/health", "/health" }, { "/api/v1/users", "/api/v1/users" },
		{ "/users/42", "/users/{id}" }, { "/users/42/", "/users/{id}/" }, { "//a//7", "//a//{id}" },
		{ "/o/123e4567-e89b-12d3-a456-426614174000/x", "/o/{uuid}/x" },
		{ "/blob/9f86d081884c7d659a2feaa0c55ad015", "/blob/{hash}" }, { "/facade/decade", "/facade/decade" },
		{ "/day/2026-11-24", "/day/{date}" }, { "/ip/10.0.0.1", "/ip/{id}" }, { "/u/jo@example.org", "/u/{address}" },
		{ "/t/eyJhbGciOiJIUzI1NiJ9", "/t/{token}" }, { "/order-100042/pay", "/{id}/pay" },
		{ "/static/app.3f2a.js", "/static/app.3f2a.js" }, { "/v2/oauth2/token", "/v2/oauth2/token" },
		{ "/s3/bucket1/key", "/s3/bucket1/key" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char route[HS_ROUTE_LEN];

		hs_route_of_path(cases[i][0], route, sizeof(route));
		assert_string_equal(route, cases[i][1]);
	}
}

/* However long the path is, and however little room there is. */
static void test_bounds(void **state)
{
	char path[1024], route[HS_ROUTE_LEN];

	(void)state;
	for (size_t length = 0; length < sizeof(path); length++) {
		for (size_t i = 0; i < length; i++)
			path[i] = i % 9 ? 'a' + i % 7 : '/';
		path[length] = '\0';
		for (size_t size = 8; size <= sizeof(route); size += 19) {
			memset(route, 'x', sizeof(route));
			hs_route_of_path(path, route, size);
			assert_true(strnlen(route, size) < size);
			assert_true(!strncmp(route, path, strcspn(route, "~{") > 0 ? strcspn(route, "~{") - 1 : 0));
		}
	}
}

static void test_patterns(void **state)
{
	static const char *const texts[] = { "/users/me", "/users/{name}/orders", "/shop/*/cart", "/users/*", "/" };
	static const char *const cases[][2] = {
		{ "/users/me", "/users/me" }, { "/users/jo/orders", "/users/{name}/orders" }, { "/users/jo", "/users/*" },
		{ "/shop/7/cart", "/shop/*/cart" }, { "/", "/" }, { "/shop//cart", NULL }, { "/shop/7/cart/", NULL },
		{ "/shop/7", NULL }, { "/user", NULL }, { "/users", NULL }, { "/users/", NULL }, { "", NULL }, { "*", NULL },
		{ "/users/me/orders", "/users/{name}/orders" }, { "/users/mee", "/users/*" }, { "users/me", NULL },
	};
	struct hs_route_patterns *patterns = hs_route_patterns_new();
	char route[HS_ROUTE_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(hs_route_patterns_add(patterns, texts[i]), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(hs_route_patterns_match(patterns, cases[i][0], route), !!cases[i][1]);
		if (cases[i][1])
			assert_string_equal(route, cases[i][1]);
	}
	assert_false(hs_route_patterns_match(NULL, "/users/me", route));
	hs_route_patterns_free(patterns);
	hs_route_patterns_free(NULL);
}

static void test_no_patterns(void **state)
{
	static const char *const wrong[] = {
		"", "users", "/a*", "/{a}b", "/{}", "/a/**", "/{a", "/a}", "/{a{b}}", "/a?b=1", "/a\nb", "/{*}",
	};
	struct hs_route_patterns *patterns = hs_route_patterns_new();
	char text[HS_ROUTE_LEN + 1], route[HS_ROUTE_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (hs_route_patterns_add(patterns, wrong[i]) != -EINVAL)
			fail_msg("%s is taken", wrong[i]);
	memset(text, '/', sizeof(text));
	text[HS_ROUTE_LEN] = '\0';
	assert_int_equal(hs_route_patterns_add(patterns, text), -ENAMETOOLONG);
	for (int i = 0; i < HS_ROUTE_PATTERNS_MAX; i++) {
		snprintf(text, sizeof(text), "/%d", i);
		assert_int_equal(hs_route_patterns_add(patterns, text), 0);
	}
	assert_int_equal(hs_route_patterns_add(patterns, "/more"), -ENOSPC);
	assert_true(hs_route_patterns_match(patterns, "/255", route));
	hs_route_patterns_free(patterns);
}

static bool hash_of(const struct hs_route_patterns *patterns, const char *method, const char *path, uint64_t *hash)
{
	char route[HS_ROUTE_LEN];

	if (!hs_route_patterns_match(patterns, path, route))
		hs_route_of_path(path, route, sizeof(route));
	return hs_route_hash(patterns, method, path, route, hash);
}

static bool alike(const char *a, const char *b)
{
	uint64_t hash[2];

	assert_true(hash_of(NULL, "GET", a, &hash[0]));
	assert_true(hash_of(NULL, "GET", b, &hash[1]));
	return hash[0] == hash[1];
}

/* What the kernel knows by one hash is one route, and what it cannot know has none. */
static void test_hashes(void **state)
{
	static const char *const unknown[] = {
		"", "users", "*", "/orders/order-100042", "/2024-01-02", "/a/12-34", "/u/x@example.com",
		"/t/abcdefghij12klmnop",
	};
	char longest[HS_PATH_WORDS * 8 + 2] = "";

	struct hs_route_patterns *patterns = hs_route_patterns_new();
	uint64_t get, other;

	(void)state;
	assert_true(alike("/users/1", "/users/234567"));
	assert_true(alike("/a/550e8400-e29b-41d4-a716-446655440000/b", "/a/00000000-0000-0000-0000-00000000000f/b"));
	assert_true(alike("/blob/deadbeef1", "/blob/0123456789abcdefABCDEF"));
	assert_false(alike("/users/1", "/users/me"));
	assert_false(alike("/users/1", "/users/1/"));
	assert_false(alike("/v1/users", "/v2/users"));
	assert_false(alike("/blob/deadbeef1", "/blob/1"));
	assert_false(alike("/a/550e8400-e29b-41d4-a716-446655440000", "/a/deadbeef1"));
	assert_false(alike("/", "//"));
	assert_false(alike("/ab/c", "/a/bc"));
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++)
		if (hash_of(NULL, "GET", unknown[i], &get))
			fail_msg("%s has a hash", unknown[i]);
	memset(longest, 'y', HS_PATH_WORDS * 8);
	for (size_t i = 0; i < HS_PATH_WORDS * 8; i += 48) /* six words each: a longer one is no name */
		longest[i] = '/';
	assert_true(hash_of(NULL, "GET", longest, &get));
	longest[HS_PATH_WORDS * 8] = 'y';
	assert_false(hash_of(NULL, "GET", longest, &get));
	assert_false(alike("/users/aaaaaaaa", "/users/aaaaaaaab"));
	assert_true(hash_of(NULL, "GET", "/x", &get));
	assert_true(hash_of(NULL, "POST", "/x", &other));
	assert_true(get != other);
	assert_false(hash_of(NULL, "OPTIONS", "/x", &other));
	assert_int_equal(hs_route_patterns_add(patterns, "/users/{name}/x"), 0);
	assert_true(hash_of(patterns, "GET", "/users/7/x", &get));
	assert_false(hash_of(patterns, "GET", "/users/jo/x", &get)); /* to the kernel it is not like /users/al/x */
	assert_int_equal(hs_route_patterns_add(patterns, "/errors/404"), 0);
	assert_false(hash_of(patterns, "GET", "/errors/404", &get));
	assert_false(hash_of(patterns, "GET", "/errors/500", &get)); /* it would be taken for /errors/404 */
	assert_true(hash_of(patterns, "GET", "/errors", &get));
	hs_route_patterns_free(patterns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes), cmocka_unit_test(test_bounds), cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_no_patterns), cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
