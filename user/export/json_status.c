/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /api/v1/status: what `hopscope check` shows of a running agent. */
#include "export/build.h"
#include "export/call_result.h"
#include "export/json_document.h"

static void put_rung(struct hs_json *json, const struct hs_hook_rung *rung)
{
	hs_json_open(json, NULL, '{');
	hs_json_put_text(json, "rung", rung->name);
	hs_json_put_bool(json, "tried", rung->tried);
	hs_json_put_errno(json, "error", -rung->error);
	hs_json_put_known_text(json, "refusal", rung->refusal);
	hs_json_put_known_text(json, "misses", rung->misses);
	hs_json_close(json, '}');
}

static void put_hook(struct hs_json *json, const struct hs_hook_status *hook)
{
	hs_json_open(json, NULL, '{');
	hs_json_put_text(json, "hook", hook->hook);
	hs_json_put_bool(json, "attached", hook->attached);
	if (hook->rung >= 0 && hook->rung < hook->rungs)
		hs_json_put_text(json, "rung", hook->ladder[hook->rung].name);
	hs_json_put_known_text(json, "gives", hook->gives);
	hs_json_put_known_text(json, "lost", hook->lost);
	hs_json_open(json, "ladder", '[');
	for (int i = 0; i < hook->rungs; i++)
		put_rung(json, &hook->ladder[i]);
	hs_json_close(json, ']');
	hs_json_close(json, '}');
}

static void put_hooks(struct hs_json *json, const struct hs_view *view)
{
	hs_json_open(json, "hooks", '[');
	for (size_t i = 0; i < view->hook_count; i++)
		put_hook(json, &view->hooks[i]);
	hs_json_close(json, ']');
}

static void put_capabilities(struct hs_json *json, const struct hs_view *view)
{
	hs_json_open(json, "capabilities", '[');
	for (size_t i = 0; i < view->capability_count; i++) {
		hs_json_open(json, NULL, '{');
		hs_json_put_text(json, "capability", view->capabilities[i].name);
		hs_json_put_bool(json, "present", view->capabilities[i].present);
		hs_json_put_known_text(json, "why", view->capabilities[i].why);
		hs_json_close(json, '}');
	}
	hs_json_close(json, ']');
}

static void put_losses(struct hs_json *json, const struct hs_view *view)
{
	hs_json_open(json, "dropped", '{');
	for (size_t i = 0; i < view->dropped_count; i++)
		hs_json_put_number(json, view->dropped[i].stage, view->dropped[i].count);
	hs_json_close(json, '}');
}

/* What was read of payload, and what could not be. */
static void put_protocols(struct hs_json *json, const struct hs_view *view)
{
	const struct hs_model_counters *counters = hs_model_counters(view->model);

	hs_json_open(json, "protocols", '[');
	for (size_t i = 0; i <= HS_PROTOCOLS_MAX && (!i || hs_protocols[i - 1]); i++) {
		const uint64_t *undecoded = counters->undecoded[i];

		if (!hs_protocol_is_counted(i))
			continue;
		hs_json_open(json, NULL, '{');
		hs_json_put_text(json, "protocol", i ? hs_protocols[i - 1]->name : "unknown");
		hs_json_put_number(json, "calls", counters->calls[i]);
		hs_json_put_number(json, "undecoded_bytes", undecoded[HS_L7_LOSS_BYTES]);
		hs_json_put_number(json, "undecoded_messages", undecoded[HS_L7_LOSS_MESSAGES]);
		hs_json_put_number(json, "lost_calls", undecoded[HS_L7_LOSS_CALLS]);
		hs_json_put_number(json, "lost_segments", undecoded[HS_L7_LOSS_SEGMENTS]);
		hs_json_close(json, '}');
	}
	hs_json_close(json, ']');
}

static void put_snapshot(struct hs_json *json, const struct hs_view *view)
{
	hs_json_open(json, "snapshot", '{');
	hs_json_put_number(json, "passes", view->pass_count);
	if (view->pass_count)
		hs_json_put_real(json, "last_seconds", view->pass_seconds);
	hs_json_close(json, '}');
}

int hs_json_status(struct hs_json *json, const struct hs_view *view)
{
	uint64_t now = hs_model_now(view->model);

	hs_json_put_text(json, "version", HS_VERSION);
	hs_json_put_text(json, "revision", hs_revision);
	hs_json_put_bool(json, "ready", view->ready);
	if (view->started_ns && now >= view->started_ns)
		hs_json_put_seconds(json, "uptime_seconds", now - view->started_ns, HS_NS_PER_SEC);
	hs_json_put_known_text(json, "kernel", view->kernel);
	hs_json_put_known_text(json, "machine", view->cpu);
	hs_json_put_known_text(json, "btf", view->btf);
	hs_json_put_known_text(json, "cgroup_root", view->cgroup_root);
	hs_json_put_known_text(json, "tracefs", view->tracefs);
	put_hooks(json, view);
	put_capabilities(json, view);
	put_losses(json, view);
	put_protocols(json, view);
	put_snapshot(json, view);
	hs_json_put_number(json, "map_bytes", view->map_bytes);
	return 0;
}
