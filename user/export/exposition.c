/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the two formats of /metrics a client gets. */
#include <string.h>

#include "export/accept.h"
#include "export/prometheus.h"

static const struct format {
	const char *type, *any_subtype;
	const char *version;
	const char *content_type;
} formats[] = {
	[HS_EXPOSITION_TEXT] = { "text/plain", "text/*", "0.0.4",
				 "text/plain; version=0.0.4; charset=utf-8" },
	[HS_EXPOSITION_OPENMETRICS] = { "application/openmetrics-text", "application/*", "1.0.0",
					"application/openmetrics-text; version=1.0.0; "
					"charset=utf-8" },
};

/* How well an item of the header fits: the most specific one decides on the quality. */
enum fit { FIT_NONE, FIT_ANY, FIT_TYPE, FIT_SUBTYPE, FIT_VERSION };

struct match {
	enum fit fit;
	unsigned quality;
};

static enum fit fit_of(const struct hs_accept *item, const struct format *format)
{
	size_t len = 0;
	const char *version = hs_accept_param(item, "version", &len);

	if (hs_accept_is(item, "*/*"))
		return FIT_ANY;
	if (hs_accept_is(item, format->any_subtype))
		return FIT_TYPE;
	if (!hs_accept_is(item, format->type))
		return FIT_NONE;
	if (!version)
		return FIT_SUBTYPE;
	return len == strlen(format->version) && !memcmp(version, format->version, len)
		       ? FIT_VERSION
		       : FIT_NONE;
}

static struct match match_of(const char *accept, const struct format *format)
{
	struct match best = { FIT_NONE, 0 };
	struct hs_accept item;

	while (accept && hs_accept_next(&accept, &item)) {
		enum fit fit = fit_of(&item, format);

		if (fit > best.fit)
			best = (struct match){ fit, item.quality };
	}
	return best;
}

/* Of equals the one that was named more exactly. One that accepts neither gets text. */
enum hs_exposition hs_exposition_negotiate(const char *accept)
{
	struct match text = match_of(accept, &formats[HS_EXPOSITION_TEXT]);
	struct match openmetrics = match_of(accept, &formats[HS_EXPOSITION_OPENMETRICS]);
	bool equal = openmetrics.quality && openmetrics.quality == text.quality;

	if (openmetrics.quality > text.quality || (equal && openmetrics.fit > text.fit))
		return HS_EXPOSITION_OPENMETRICS;
	return HS_EXPOSITION_TEXT;
}

const char *hs_exposition_content_type(enum hs_exposition exposition)
{
	return formats[exposition].content_type;
}
