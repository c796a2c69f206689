/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON written as it comes, without a tree: ten thousand connections take neither memory nor
 * the time of half a million small allocations while the model is locked (a tree took 280 ms).
 * Values go into the open object with their key, into the open array with key NULL.
 */
#ifndef HS_EXPORT_JSON_WRITER_H
#define HS_EXPORT_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/clock.h"

struct hs_json {
	FILE *out;
	bool comma; /* something stands before the next value */
	size_t used;
	char buffer[4096]; /* stdio's call per piece would double the time */
};

/* Begin with these; nothing has reached out before hs_json_end(). */
void hs_json_begin(struct hs_json *json, FILE *out);
void hs_json_end(struct hs_json *json); /* writes '\n', too */

/* A key is a plain word, no longer than HS_JSON_KEY_MAX. */
#define HS_JSON_KEY_MAX 256

void hs_json_open(struct hs_json *json, const char *key, char bracket); /* '{' or '[' */
void hs_json_close(struct hs_json *json, char bracket);                 /* '}' or ']' */

void hs_json_put_text(struct hs_json *json, const char *key, const char *text);
void hs_json_put_bool(struct hs_json *json, const char *key, bool value);
void hs_json_put_number(struct hs_json *json, const char *key, uint64_t value);
void hs_json_put_integer(struct hs_json *json, const char *key, int64_t value);
void hs_json_put_seconds(struct hs_json *json, const char *key, uint64_t value,
			 uint64_t per_second);

/* These write nothing when there is nothing to tell: NULL or "", 0, NaN, time 0, errno 0. */
void hs_json_put_known_text(struct hs_json *json, const char *key, const char *text);
void hs_json_put_known_number(struct hs_json *json, const char *key, uint64_t value);
void hs_json_put_known_ns(struct hs_json *json, const char *key, uint64_t ns); /* as seconds */
void hs_json_put_real(struct hs_json *json, const char *key, double value);
void hs_json_put_time(struct hs_json *json, const char *key, const struct hs_clock *clock,
		      uint64_t time_ns);
void hs_json_put_errno(struct hs_json *json, const char *key, int error); /* "ECONNREFUSED" */

#endif
