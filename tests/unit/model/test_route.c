// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_routes), cmocka_unit_test(test_bounds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
