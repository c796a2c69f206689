/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "export/json.h"

#include "base/node.h"

#include <errno.h>
#include <string.h>

#include "export/json_document.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct document {
	const char *name;
	const char *kind;
	int (*write)(struct hs_json *json, const struct hs_view *view);
} documents[] = {
	{ "graph", "CallGraph", hs_json_graph },
	{ "routes", "RouteList", hs_json_routes },
	{ "requests", "RequestList", hs_json_requests },
	{ "connections", "ConnectionList", hs_json_connections },
	{ "listeners", "ListenerList", hs_json_listeners },
	{ "findings", "FindingList", hs_json_findings },
	{ "status", "Status", hs_json_status },
};

void hs_json_put_head(struct hs_json *json, const char *kind, const struct hs_view *view)
{
	hs_json_open(json, NULL, '{');
	hs_json_put_text(json, "apiVersion", HS_API_VERSION);
	hs_json_put_text(json, "kind", kind);
	hs_json_put_time(json, "time", &view->clock, hs_model_now(view->model));
	hs_json_put_known_text(json, "node", hs_node_name());
}

static int document_write(FILE *out, const struct document *document, const struct hs_view *view)
{
	struct hs_json json;
	int error;

	hs_json_begin(&json, out);
	hs_json_put_head(&json, document->kind, view);
	error = document->write(&json, view);
	hs_json_close(&json, '}');
	hs_json_end(&json);
	if (error)
		return error;
	return fflush_unlocked(out) || ferror_unlocked(out) ? -EIO : 0;
}

int hs_json_document(FILE *out, const char *name, const struct hs_view *view)
{
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		if (!strcmp(documents[i].name, name))
			return document_write(out, &documents[i], view);
	}
	return -ENOENT;
}
