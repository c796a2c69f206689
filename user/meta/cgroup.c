/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta/cgroup.h"

#include <string.h>

#include "base/utf8.h"
#include "meta/text.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define DIGITS "0123456789"
#define HEX DIGITS "abcdef"
#define ID_LEN (HS_CONTAINER_ID_LEN - 1)
#define SERVICE ".service"

/* Who made a container: by the prefix of its scope, or by the parent of a bare id. */
static const struct maker {
	const char *label;
	const char *runtime; /* NULL: a helper of the runtime, outside of the container */
	bool in_unit;        /* made inside of its own unit: podman --cgroups=split, Quadlet */
} makers[] = {
	{ "docker", "docker", false },
	{ "moby", "docker", false },
	{ "cri-containerd", "containerd", false },
	{ "containerd", "containerd", false },
	{ "nerdctl", "containerd", false },
	{ "default", "containerd", false }, /* containerd's namespaces, without systemd */
	{ "k8s.io", "containerd", false },
	{ "crio", "cri-o", false },
	{ "crio-conmon", NULL, false },
	{ "libpod", "podman", false },
	{ "libpod_parent", "podman", false },
	{ "libpod-payload", "podman", true },
	{ "libpod-conmon", NULL, false },
};

struct walk {
	struct hs_cgroup *found;
	bool in_unit;
	bool helper; /* below is a runtime's helper, not yet the container that holds it */
};

static const struct maker *maker_find(struct hs_text label)
{
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		if (hs_text_is(label, makers[i].label))
			return &makers[i];
	}
	return NULL;
}

/* 8-4-4-4-12; systemd's slices are nested by dashes, so there they are underscores. */
static bool is_uuid(struct hs_text text)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	if (text.len != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!hs_text_only(hs_text_from(hs_text_first(text, i + 1), i),
				  form[i] == '-' ? "-_" : HEX))
			return false;
	}
	return true;
}

/* The kubelet's "pod" stands at the start (cgroupfs) or after the slice's ancestors. */
static bool follows_pod(struct hs_text name, size_t uid_len)
{
	struct hs_text before = hs_text_first(name, name.len - uid_len);

	return hs_text_is(before, "pod") || hs_text_ends(before, "-pod");
}

/* podUID, kubepods-burstable-podUID.slice, and that with ":cri-containerd:ID" glued to it. */
static struct hs_text pod_uid(struct hs_text name)
{
	static const size_t static_pod_len = 32; /* a hash of its manifest */
	struct hs_text uid;

	name = hs_text_without(hs_text_first(name, hs_text_find(name, ':')), ".slice");
	uid = hs_text_last(name, HS_POD_UID_LEN - 1);
	if (is_uuid(uid) && follows_pod(name, uid.len))
		return uid;
	uid = hs_text_last(name, static_pod_len);
	if (uid.len == static_pod_len && hs_text_only(uid, HEX) && follows_pod(name, uid.len))
		return uid;
	return hs_text_first(name, 0);
}

/* ID, LABEL-ID.scope, LABEL-ID or SLICE:LABEL:ID. */
static bool container_split(struct hs_text name, struct hs_text *label, struct hs_text *id)
{
	name = hs_text_without(name, ".scope");
	*id = hs_text_last(name, ID_LEN);
	*label = hs_text_first(name, name.len - id->len);
	if (id->len != ID_LEN || !hs_text_only(*id, HEX))
		return false;
	if (!label->len)
		return true;
	if (!hs_text_ends(*label, "-") && !hs_text_ends(*label, ":"))
		return false;
	*label = hs_text_after_last(hs_text_first(*label, label->len - 1), ':');
	return true;
}

static void container_set(struct walk *walk, struct hs_text id, const char *runtime)
{
	hs_utf8_copy(walk->found->container_id, HS_CONTAINER_ID_LEN, id.data, id.len);
	walk->found->runtime = runtime;
}

/* LXC's containers have names: /lxc.payload.web, /lxc.payload/web, /lxc/web. */
static void take_lxc(struct walk *walk, struct hs_text name, struct hs_text parent)
{
	struct hs_text payload = hs_text_skip(name, "lxc.payload.");

	if (payload.len && payload.len < name.len)
		container_set(walk, payload, "lxc");
	else if (hs_text_in(parent, "lxc lxc.payload"))
		container_set(walk, name, "lxc");
}

static void take_container(struct walk *walk, struct hs_text name, struct hs_text parent)
{
	const struct maker *maker;
	struct hs_text label, id;

	if (!container_split(name, &label, &id)) {
		take_lxc(walk, name, parent);
		return;
	}
	if (!label.len)
		label = parent;
	maker = maker_find(label);
	if (maker && !maker->runtime) {
		walk->helper = true;
		return;
	}
	walk->in_unit = maker && maker->in_unit;
	container_set(walk, id, maker ? maker->runtime : pod_uid(label).len ? "containerd" : "");
}

static void take_pod(struct walk *walk, struct hs_text name)
{
	struct hs_text uid = pod_uid(name);

	if (!uid.len || (walk->helper && !walk->found->container_id[0]))
		return;
	hs_utf8_copy(walk->found->pod_uid, HS_POD_UID_LEN, uid.data, uid.len);
	for (char *c = walk->found->pod_uid; *c; c++) {
		if (*c == '_')
			*c = '-';
	}
}

/* systemd-run makes such names up: run-r<32 hex digits>, run-u12, run-p12-i34, run-12. */
static bool is_transient(struct hs_text stem)
{
	struct hs_text number = hs_text_skip(stem, "run-");

	if (number.len == stem.len)
		return false;
	if (hs_text_starts(number, "r"))
		return number.len == 33 && hs_text_only(hs_text_from(number, 1), HEX);
	if (hs_text_starts(number, "u") || hs_text_starts(number, "p"))
		number = hs_text_from(number, 1);
	return hs_text_only(hs_text_first(number, 1), DIGITS) && hs_text_only(number, DIGITS "-i");
}

static bool hex_digit(char c, unsigned *value)
{
	const char *at = c ? strchr(HEX, c) : NULL;

	if (at)
		*value = *value * 16 + (unsigned)(at - HEX);
	return at;
}

/* "\x2d" is '-'. dst is as long as text. Returns the length. */
static size_t unescape(struct hs_text text, char *dst)
{
	size_t used = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned value = 0;

		if (hs_text_starts(hs_text_from(text, i), "\\x") && text.len - i >= 4 &&
		    hex_digit(text.data[i + 2], &value) && hex_digit(text.data[i + 3], &value)) {
			dst[used++] = (char)value;
			i += 3;
		} else {
			dst[used++] = text.data[i];
		}
	}
	return used;
}

/*
 * Scopes and slices group processes and name no workload; user@N.service is a user's manager.
 * systemd puts "_" before names that the kernel might take for its own files.
 */
static void take_unit(struct walk *walk, struct hs_text name)
{
	struct hs_text stem = hs_text_skip(hs_text_without(name, SERVICE), "_");
	char decoded[256];
	size_t len;

	if (!hs_text_ends(name, SERVICE) || !stem.len || stem.len > sizeof(decoded) ||
	    hs_text_starts(stem, "user@") || is_transient(stem))
		return;
	len = unescape(stem, decoded);
	len = hs_utf8_copy(walk->found->unit, HS_NAME_LEN - strlen(SERVICE), decoded, len);
	memcpy(walk->found->unit + len, SERVICE, sizeof(SERVICE));
}

static bool wants_unit(const struct walk *walk)
{
	const struct hs_cgroup *found = walk->found;

	return !found->unit[0] && !found->pod_uid[0] && (!found->container_id[0] || walk->in_unit);
}

void hs_cgroup_parse(const char *components, size_t len, struct hs_cgroup *cgroup)
{
	struct hs_text rest = hs_text_bytes(components, len), name, parent;
	struct walk walk = { .found = cgroup };

	*cgroup = (struct hs_cgroup){ .runtime = "" };
	for (bool more = hs_text_next(&rest, &name); more; name = parent) {
		more = hs_text_next(&rest, &parent);
		if (!more)
			parent = hs_text_first(name, 0);
		if (!cgroup->container_id[0])
			take_container(&walk, name, parent);
		if (!cgroup->pod_uid[0])
			take_pod(&walk, name);
		if (wants_unit(&walk))
			take_unit(&walk, name);
	}
}
