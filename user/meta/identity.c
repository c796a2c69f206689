/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/identity.h"

#include "base/utf8.h"
#include "meta/cgroup.h"
#include "meta/executable.h"
#include "meta/rules.h"
#include "meta/text.h"
#include "meta/workload.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define SHORT_ID_LEN 12 /* as docker shows it, and makes it the hostname */

static bool ends_with_nul(const char *text, size_t len)
{
	return !len || !text[len - 1];
}

bool hs_process_facts(const struct hs_ev_process *event, struct hs_process_facts *facts)
{
	size_t texts = (size_t)event->exe_len + event->args_len + event->cgroup_len;
	const char *args = event->text + event->exe_len;

	if (event->event.size < sizeof(*event) || event->event.size - sizeof(*event) < texts)
		return false;
	if (!memchr(event->comm, '\0', sizeof(event->comm)) ||
	    !memchr(event->hostname, '\0', sizeof(event->hostname)) ||
	    !ends_with_nul(event->text, event->exe_len))
		return false;
	*facts = (struct hs_process_facts){
		.pid = event->pid,
		.comm = event->comm,
		.hostname = event->hostname,
		.exe = event->exe_len ? event->text : "",
		.args = args,
		.args_len = event->args_len,
		.cgroup = args + event->args_len,
		.cgroup_len = event->cgroup_len,
	};
	return true;
}

/* EXECUTABLE, sign, and the first id_len bytes of id. Too long: the executable is cut. */
static void name_at(struct hs_identity *identity, const char *sign, const char *id, size_t id_len)
{
	char suffix[32];
	size_t len = hs_utf8_copy(suffix, sizeof(suffix), sign, strlen(sign)), used;

	len += hs_utf8_copy(suffix + len, id_len + 1, id, strlen(id));
	used = hs_utf8_copy(identity->name, sizeof(identity->name) - len, identity->executable,
			    strlen(identity->executable));
	memcpy(identity->name + used, suffix, len + 1);
}

/*
 * A pod's hostname is its name, but not with hostNetwork, and not in a container that runs
 * inside of the pod's own (docker in docker: the hostname is that container's id).
 */
static bool hostname_is_pod(const struct hs_process_facts *facts,
			    const struct hs_identity *identity)
{
	struct hs_text hostname = hs_text_of(facts->hostname);

	if (!hs_is_pod_name(hostname) || (facts->node && hs_text_is(hostname, facts->node)))
		return false;
	return hostname.len < SHORT_ID_LEN ||
	       !hs_text_starts(hs_text_of(identity->container_id), facts->hostname);
}

static bool name_pod(const struct hs_process_facts *facts, struct hs_identity *identity)
{
	struct hs_text pod = hs_text_of(facts->hostname), name;

	if (!identity->pod_uid[0])
		return false;
	if (!hostname_is_pod(facts, identity)) {
		name_at(identity, "@pod-", identity->pod_uid, 8);
		return true;
	}
	name = hs_workload_name(pod);
	hs_utf8_copy(identity->pod, sizeof(identity->pod), pod.data, pod.len);
	hs_utf8_copy(identity->name, sizeof(identity->name), name.data, name.len);
	return true;
}

static bool name_container(const struct hs_process_facts *facts, struct hs_identity *identity)
{
	(void)facts;
	if (!identity->container_id[0])
		return false;
	name_at(identity, "@", identity->container_id, SHORT_ID_LEN);
	return true;
}

static bool name_unit(const struct hs_process_facts *facts, struct hs_identity *identity)
{
	struct hs_text stem = hs_text_without(hs_text_of(identity->unit), ".service");

	(void)facts;
	hs_utf8_copy(identity->name, sizeof(identity->name), stem.data, stem.len);
	return stem.len > 0;
}

static bool name_executable(const struct hs_process_facts *facts, struct hs_identity *identity)
{
	(void)facts;
	memcpy(identity->name, identity->executable, sizeof(identity->name));
	return true;
}

/* Most specific first: the first that knows a name gives it. A rule may change it afterwards. */
static const struct {
	enum hs_identity_source source;
	bool (*name)(const struct hs_process_facts *facts, struct hs_identity *identity);
} namers[] = {
	{ HS_IDENTITY_POD, name_pod },
	{ HS_IDENTITY_CONTAINER, name_container },
	{ HS_IDENTITY_UNIT, name_unit },
	{ HS_IDENTITY_EXECUTABLE, name_executable },
};

static void copy_cgroup(const struct hs_process_facts *facts, struct hs_identity *identity)
{
	struct hs_cgroup cgroup;

	hs_cgroup_parse(facts->cgroup, facts->cgroup_len, &cgroup);
	memcpy(identity->pod_uid, cgroup.pod_uid, sizeof(identity->pod_uid));
	memcpy(identity->container_id, cgroup.container_id, sizeof(identity->container_id));
	memcpy(identity->unit, cgroup.unit, sizeof(identity->unit));
	hs_utf8_copy(identity->runtime, sizeof(identity->runtime), cgroup.runtime,
		     strlen(cgroup.runtime));
}

void hs_identify(const struct hs_process_facts *facts, const struct hs_rules *rules,
		 struct hs_identity *identity)
{
	memset(identity, 0, sizeof(*identity));
	hs_executable_name(facts, identity->executable, sizeof(identity->executable));
	copy_cgroup(facts, identity);
	for (size_t i = 0; i < ARRAY_LEN(namers); i++) {
		if (namers[i].name(facts, identity)) {
			identity->source = namers[i].source;
			break;
		}
	}
	hs_rules_apply(rules, facts, identity);
}
