/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/json_writer.h"

#include <math.h>
#include <string.h>

#include "export/format.h"

static void flush(struct hs_json *json)
{
	fwrite_unlocked(json->buffer, 1, json->used, json->out);
	json->used = 0;
}

/* Makes sure that so many bytes fit. */
static char *room(struct hs_json *json, size_t len)
{
	if (sizeof(json->buffer) - json->used < len)
		flush(json);
	return json->buffer + json->used;
}

static void put(struct hs_json *json, const char *text, size_t len)
{
	if (len > sizeof(json->buffer) / 2) {
		flush(json);
		fwrite_unlocked(text, 1, len, json->out);
		return;
	}
	memcpy(room(json, len), text, len);
	json->used += len;
}

void hs_json_begin(struct hs_json *json, FILE *out)
{
	json->out = out;
	json->comma = false;
	json->used = 0;
}

void hs_json_end(struct hs_json *json)
{
	put(json, "\n", 1);
	flush(json);
}

static void put_key(struct hs_json *json, const char *key)
{
	size_t len = key ? strnlen(key, HS_JSON_KEY_MAX) : 0;
	char *at = room(json, len + 4);

	if (json->comma)
		*at++ = ',';
	json->comma = true;
	if (key) {
		*at++ = '"';
		at = mempcpy(at, key, len);
		*at++ = '"';
		*at++ = ':';
	}
	json->used = (size_t)(at - json->buffer);
}

static void put_raw(struct hs_json *json, const char *key, const char *text, size_t len)
{
	put_key(json, key);
	put(json, text, len);
}

void hs_json_open(struct hs_json *json, const char *key, char bracket)
{
	put_raw(json, key, &bracket, 1);
	json->comma = false;
}

void hs_json_close(struct hs_json *json, char bracket)
{
	put(json, &bracket, 1);
	json->comma = true;
}

void hs_json_put_text(struct hs_json *json, const char *key, const char *text)
{
	size_t plain = hs_format_plain(text);

	put_raw(json, key, "\"", 1);
	put(json, text, plain);
	if (text[plain]) {
		flush(json);
		hs_format_escaped(json->out, text + plain, HS_ESCAPE_JSON);
	}
	put(json, "\"", 1);
}

void hs_json_put_known_text(struct hs_json *json, const char *key, const char *text)
{
	if (text && *text)
		hs_json_put_text(json, key, text);
}

void hs_json_put_bool(struct hs_json *json, const char *key, bool value)
{
	const char *word = value ? "true" : "false";

	put_raw(json, key, word, strlen(word));
}

void hs_json_put_number(struct hs_json *json, const char *key, uint64_t value)
{
	char text[HS_NUMBER_LEN];

	put_raw(json, key, text, hs_format_number(text, value));
}

void hs_json_put_known_number(struct hs_json *json, const char *key, uint64_t value)
{
	if (value)
		hs_json_put_number(json, key, value);
}

void hs_json_put_integer(struct hs_json *json, const char *key, int64_t value)
{
	char text[HS_NUMBER_LEN];

	put_raw(json, key, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)value));
}

void hs_json_put_seconds(struct hs_json *json, const char *key, uint64_t value, uint64_t per_second)
{
	char text[HS_NUMBER_LEN];

	put_raw(json, key, text, hs_format_seconds(text, value, per_second));
}

void hs_json_put_known_ns(struct hs_json *json, const char *key, uint64_t ns)
{
	if (ns)
		hs_json_put_seconds(json, key, ns, HS_NS_PER_SEC);
}

void hs_json_put_real(struct hs_json *json, const char *key, double value)
{
	char text[HS_NUMBER_LEN];

	if (isfinite(value))
		put_raw(json, key, text, hs_format_real(text, value));
}

void hs_json_put_time(struct hs_json *json, const char *key, const struct hs_clock *clock,
		      uint64_t time_ns)
{
	char text[HS_TIME_LEN];

	hs_clock_format(clock, time_ns, text);
	hs_json_put_known_text(json, key, text);
}

void hs_json_put_errno(struct hs_json *json, const char *key, int error)
{
	const char *name = error ? strerrorname_np(error) : "";
	char number[HS_NUMBER_LEN];

	if (!name) {
		snprintf(number, sizeof(number), "errno %d", error);
		name = number;
	}
	hs_json_put_known_text(json, key, name);
}
