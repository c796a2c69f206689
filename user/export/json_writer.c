/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/json_writer.h"

#include <math.h>
#include <string.h>

#include "export/format.h"

static void put_key(struct hs_json *json, const char *key)
{
	if (json->comma)
		putc_unlocked(',', json->out);
	json->comma = true;
	if (!key)
		return;
	putc_unlocked('"', json->out);
	hs_format_escaped(json->out, key, HS_ESCAPE_JSON);
	fwrite_unlocked("\":", 1, 2, json->out);
}

static void put_raw(struct hs_json *json, const char *key, const char *text, size_t len)
{
	put_key(json, key);
	fwrite_unlocked(text, 1, len, json->out);
}

void hs_json_open(struct hs_json *json, const char *key, char bracket)
{
	put_raw(json, key, &bracket, 1);
	json->comma = false;
}

void hs_json_close(struct hs_json *json, char bracket)
{
	putc_unlocked(bracket, json->out);
	json->comma = true;
}

void hs_json_put_text(struct hs_json *json, const char *key, const char *text)
{
	put_raw(json, key, "\"", 1);
	hs_format_escaped(json->out, text, HS_ESCAPE_JSON);
	putc_unlocked('"', json->out);
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

void hs_json_put_time(struct hs_json *json, const char *key, const struct hs_clock *clock, uint64_t time_ns)
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
