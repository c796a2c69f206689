// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/calls.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/duration.h"
#include "cmd/document.h"

#define MANY_ERRORS 0.05

void hs_calls_percent(double ratio, char *text)
{
	double percent = ratio > 0 ? ratio * 100 : 0;

	if (percent > 0 && percent < 0.1)
		strcpy(text, "<0.1");
	else
		snprintf(text, HS_UNIT_LEN, percent < 9.95 && percent > 0 ? "%.1f" : "%.0f", percent);
}

enum hs_style hs_calls_style(double ratio)
{
	if (ratio >= MANY_ERRORS)
		return HS_BAD;
	return ratio > 0 ? HS_WARNING : HS_PLAIN;
}

void hs_calls_name(const json_t *call, const char *what, char *text, size_t size)
{
	bool rpc = !strcmp(hs_doc_text(call, "protocol"), "grpc");
	const char *operation = rpc ? "" : hs_doc_text(call, "operation"), *object = hs_doc_text(call, what);

	snprintf(text, size, "%s%s%s", operation, *operation && *object ? " " : "", object);
	if (!*text)
		snprintf(text, size, "%s", hs_doc_text(call, "protocol"));
}

/* 5xx: x stands for any digit. */
static bool is_class(const char *value, const char *status)
{
	size_t length = strlen(value);

	if (value[strspn(value, "0123456789xX")] || strlen(status) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (isdigit((unsigned char)value[i]) ? value[i] != status[i] : !isdigit((unsigned char)status[i]))
			return false;
	return true;
}

bool hs_match_status(const json_t *subject, const char *value)
{
	const char *status = hs_doc_text(subject, "status"), *outcome = hs_doc_text(subject, "outcome");

	if (!strcasecmp(value, "failed"))
		return hs_doc_true(subject, "failed");
	if (!strcasecmp(value, outcome) || is_class(value, status))
		return true;
	return *status && !fnmatch(value, status, FNM_CASEFOLD);
}

static bool text_is(const json_t *subject, const char *path, const char *value, int flags)
{
	const char *text = hs_doc_text(subject, path);

	return *text && !fnmatch(value, text, flags);
}

bool hs_match_route(const json_t *subject, const char *value)
{
	return text_is(subject, "route", value, 0) || text_is(subject, "target", value, 0);
}

bool hs_match_protocol(const json_t *subject, const char *value)
{
	return text_is(subject, "protocol", value, FNM_CASEFOLD);
}

bool hs_match_method(const json_t *subject, const char *value)
{
	return text_is(subject, "operation", value, FNM_CASEFOLD);
}

bool hs_match_slower(const json_t *subject, const char *value)
{
	uint64_t ns;

	return hs_duration_parse(value, &ns) &&
	       hs_doc_number(subject, "duration_seconds") * 1e9 > (double)ns;
}
