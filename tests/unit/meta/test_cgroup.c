/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "meta/cgroup.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ID1 "1111111111111111aaaaaaaaaaaaaaaa2222222222222222bbbbbbbbbbbbbbbb"
#define ID2 "cafe0000cafe0000cafe0000cafe0000cafe0000cafe0000cafe0000cafe0000"
#define UID "0f3c5d6e-1b2a-4c3d-9e8f-a0b1c2d3e4f5"
#define UID_ "0f3c5d6e_1b2a_4c3d_9e8f_a0b1c2d3e4f5"
#define UID2 "99999999-8888-4777-9666-555555555555"
#define STATIC_UID "f1e2d3c4b5a6978801234567890abcde"
#define BURSTABLE "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice"
#define GUARANTEED "/kubepods.slice/kubepods-pod" UID_ ".slice"
#define BESTEFFORT1 "/kubepods/besteffort/pod" UID

struct want {
	const char *path; /* as /proc/PID/cgroup shows it */
	const char *container, *runtime, *pod, *unit;
};

/* The kernel's layout, in memory of just its length. */
static char *leaf_first(const char *path, size_t *len)
{
	char *copy = strdup(path), *out = calloc(1, strlen(path) + 2), *slash;
	size_t used = 0;

	while ((slash = strrchr(copy, '/'))) {
		strcpy(out + used, slash + 1);
		used += strlen(slash + 1) + 1;
		*slash = '\0';
	}
	free(copy);
	*len = used;
	return realloc(out, used ? used : 1);
}

static void check(const struct want *want)
{
	struct hs_cgroup cgroup;
	size_t len;
	char *components = leaf_first(want->path, &len);

	memset(&cgroup, 0xa5, sizeof(cgroup));
	hs_cgroup_parse(components, len, &cgroup);
	free(components);
	if (strcmp(cgroup.container_id, want->container) || strcmp(cgroup.runtime, want->runtime) ||
	    strcmp(cgroup.pod_uid, want->pod) || strcmp(cgroup.unit, want->unit))
		fail_msg("%s: container %s (%s) pod %s unit %s", want->path, cgroup.container_id,
			 cgroup.runtime, cgroup.pod_uid, cgroup.unit);
}

static const struct want containers[] = {
	{ "/docker/" ID1, ID1, "docker", "", "" },
	{ "/system.slice/docker-" ID1 ".scope", ID1, "docker", "", "" },
	{ "/system.slice/docker-" ID1 ".scope/init.scope", ID1, "docker", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/docker-" ID1 ".scope", ID1,
	  "docker", "", "" },
	{ "/ci.slice/docker-" ID1 ".scope", ID1, "docker", "", "" },
	{ "/actions_job/" ID1, ID1, "", "", "" },
	{ "/ecs/0123456789abcdef0123456789abcdef/" ID1, ID1, "", "", "" },
	{ "/default/" ID1, ID1, "containerd", "", "" },
	{ "/k8s.io/" ID1, ID1, "containerd", "", "" },
	{ "/system.slice/nerdctl-" ID1 ".scope", ID1, "containerd", "", "" },
	{ "/system.slice/cri-containerd-" ID1 ".scope", ID1, "containerd", "", "" },
	{ "/crio-" ID1, ID1, "cri-o", "", "" },
	{ "/machine.slice/libpod-" ID1 ".scope", ID1, "podman", "", "" },
	{ "/machine.slice/libpod-" ID1 ".scope/container", ID1, "podman", "", "" },
	{ "/machine.slice/machine-libpod_pod_" ID2 ".slice/libpod-" ID1 ".scope", ID1, "podman", "",
	  "" },
	{ "/libpod_parent/libpod-" ID1, ID1, "podman", "", "" },
	{ "/libpod_parent/" ID2 "/libpod-" ID1, ID1, "podman", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID1
	  ".scope/container",
	  ID1, "podman", "", "" },
	{ "/system.slice/web.service/libpod-payload-" ID1, ID1, "podman", "", "web.service" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service/libpod-payload-" ID1,
	  ID1, "podman", "", "web.service" },
	{ "/../../docker-" ID1 ".scope", ID1, "docker", "", "" }, /* seen from a cgroup namespace */
	{ "/lxc/web", "web", "lxc", "", "" },
	{ "/lxc/100/ns/init.scope", "100", "lxc", "", "" },
	{ "/lxc.payload.web/system.slice/nginx.service", "web", "lxc", "", "nginx.service" },
	{ "/lxc.payload/web", "web", "lxc", "", "" },
	{ "/lxc.monitor.web", "", "", "", "" },
	{ "/lxc.payload.", "", "", "", "" },
	{ "/lxc.payload.web/docker/" ID1, ID1, "docker", "", "" },
};

static const struct want pods[] = {
	{ BESTEFFORT1 "/" ID1, ID1, "containerd", UID, "" },
	{ "/kubepods/burstable/pod" UID "/" ID1, ID1, "containerd", UID, "" },
	{ "/kubepods/pod" UID "/" ID1, ID1, "containerd", UID, "" },
	{ "/kubepods/pod" UID "/crio-" ID1, ID1, "cri-o", UID, "" },
	{ "/kubepods/burstable/pod" STATIC_UID "/" ID1, ID1, "containerd", STATIC_UID, "" },
	{ BURSTABLE "/cri-containerd-" ID1 ".scope", ID1, "containerd", UID, "" },
	{ GUARANTEED "/cri-containerd-" ID1 ".scope", ID1, "containerd", UID, "" },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" STATIC_UID
	  ".slice/cri-containerd-" ID1 ".scope",
	  ID1, "containerd", STATIC_UID, "" },
	{ BURSTABLE "/docker-" ID1 ".scope", ID1, "docker", UID, "" },
	{ BURSTABLE "/crio-" ID1 ".scope", ID1, "cri-o", UID, "" },
	{ BURSTABLE "/crio-" ID1 ".scope/container", ID1, "cri-o", UID, "" },
	{ BURSTABLE "/cri-containerd-" ID1 ".scope/init.scope", ID1, "containerd", UID, "" },
	{ BURSTABLE "/cri-containerd-" ID1 ".scope/system.slice/nginx.service", ID1, "containerd",
	  UID, "nginx.service" },
	{ "/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:"
	  ID1,
	  ID1, "containerd", UID, "" },
	{ BURSTABLE, "", "", UID, "" },
};

/* Helpers of a runtime run beside the container, and are not it. */
static const struct want helpers[] = {
	{ "/machine.slice/libpod-conmon-" ID1 ".scope", "", "", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-conmon-" ID1 ".scope",
	  "", "", "", "" },
	{ "/system.slice/crio-conmon-" ID1 ".scope", "", "", "", "" },
	{ BURSTABLE "/crio-conmon-" ID1 ".scope", "", "", "", "" },
	{ "/kubepods/pod" UID "/crio-conmon-" ID1, "", "", "", "" },
	{ "/docker/" ID2 "/machine.slice/libpod-conmon-" ID1 ".scope", ID2, "docker", "", "" },
	{ BURSTABLE "/cri-containerd-" ID2 ".scope/libpod-conmon-" ID1 ".scope", ID2, "containerd",
	  UID, "" },
	{ "/system.slice/containerd.service", "", "", "", "containerd.service" },
	{ "/docker/buildkit/x1lqkk6tbp6l1mb9mzxs4fx7o", "", "", "", "" },
};

static const struct want nested[] = {
	{ "/docker/" ID1 "/docker/" ID2, ID2, "docker", "", "" },
	{ "/docker/" ID1 "/kubelet/kubepods/besteffort/pod" UID "/" ID2, ID2, "containerd", UID,
	  "" },
	{ "/docker/" ID1 "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
	  "kubelet-kubepods-besteffort-pod" UID_ ".slice/cri-containerd-" ID2 ".scope",
	  ID2, "containerd", UID, "" },
	{ "/system.slice/docker-" ID1 ".scope/kubelet.slice/kubelet.service", ID1, "docker", "",
	  "kubelet.service" },
	{ BURSTABLE "/cri-containerd-" ID1 ".scope/docker/" ID2, ID2, "docker", UID, "" },
	{ "/kubepods/pod" UID2 "/" ID1 "/kubepods/pod" UID "/" ID2, ID2, "containerd", UID, "" },
	{ "/machine.slice/libpod-" ID1 ".scope/container/system.slice/docker-" ID2 ".scope", ID2,
	  "docker", "", "" },
};

static const struct want units[] = {
	{ "/system.slice/nginx.service", "", "", "", "nginx.service" },
	{ "/system.slice/nginx.service/worker/1", "", "", "", "nginx.service" },
	{ "/system.slice/system-postgresql.slice/postgresql@15-main.service", "", "", "",
	  "postgresql@15-main.service" },
	{ "/system.slice/my\\x2dapp.service", "", "", "", "my-app.service" },
	{ "/system.slice/system-getty.slice/getty@a\\x2fb\\x40c.service", "", "", "",
	  "getty@a/b@c.service" },
	{ "/system.slice/odd\\x2.service", "", "", "", "odd\\x2.service" },
	{ "/system.slice/odd\\xzz.service", "", "", "", "odd\\xzz.service" },
	{ "/system.slice/odd\\x2g\\x00\\x1b\\xff.service", "", "", "", "odd\\x2g???.service" },
	{ "/system.slice/_cgroup.service", "", "", "", "cgroup.service" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", "", "", "",
	  "foo.service" },
	{ "/user.slice/user-1000.slice/user@1000.service/init.scope", "", "", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service", "", "", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/vte-spawn-12ab.scope", "", "",
	  "", "" },
	{ "/user.slice/user-1000.slice/session-2.scope", "", "", "", "" },
	{ "/system.slice/run-r0123.scope", "", "", "", "" },
	{ "/system.slice/run-u12.service", "", "", "", "" },
	{ "/system.slice/run-1234.service", "", "", "", "" },
	{ "/system.slice/run-p1234-i5678.service", "", "", "", "" },
	{ "/system.slice/run-r0123456789abcdef0123456789abcdef.service", "", "", "", "" },
	{ "/system.slice/run-backup.service", "", "", "", "run-backup.service" },
	{ "/system.slice/run-rabbits.service", "", "", "", "run-rabbits.service" },
	{ "/system.slice/run-.service", "", "", "", "run-.service" },
	{ "/init.scope", "", "", "", "" },
	{ "/system.slice", "", "", "", "" },
	{ "/system.slice/.service", "", "", "", "" },
	{ "/system.slice/dbus.socket", "", "", "", "" },
	{ "/", "", "", "", "" },
	{ "", "", "", "", "" },
};

/* Nearly an id, a uid, a unit. */
static const struct want impostors[] = {
	{ "/docker/1111", "", "", "", "" },
	{ "/docker/" ID1 "0", "", "", "", "" },
	{ "/docker/g" ID1, "", "", "", "" },
	{ "/docker/0" ID1, "", "", "", "" },
	{ "/docker/1111111111111111AAAAAAAAAAAAAAAA2222222222222222bbbbbbbbbbbbbbbb", "", "", "",
	  "" },
	{ "/docker-" ID1 ".scope.d", "", "", "", "" },
	{ "/.scope", "", "", "", "" },
	{ "/kubepods/pod0f3c5d6e-1b2a-4c3d-9e8f-a0b1c2d3e4f", "", "", "", "" },
	{ "/kubepods/pod0f3c5d6e.1b2a.4c3d.9e8f.a0b1c2d3e4f5", "", "", "", "" },
	{ "/kubepods/tripod" UID, "", "", "", "" },
	{ "/kubepods/" UID, "", "", "", "" },
	{ "/pod", "", "", "", "" },
	{ "/pod.slice", "", "", "", "" },
	{ "/:", "", "", "", "" },
	{ "/process_api/e60cc5da3853288e2b74186d5fe842bc", "", "", "", "" },
};

#define TABLE(name)                                                                                \
	static void finds_##name(void **state)                                                     \
	{                                                                                          \
		(void)state;                                                                       \
		for (size_t i = 0; i < ARRAY_LEN(name); i++)                                       \
			check(&name[i]);                                                           \
	}
TABLE(containers)
TABLE(pods)
TABLE(helpers)
TABLE(nested)
TABLE(units)
TABLE(impostors)

/* A record holds a limited length: whatever is left of the path must not be read wrongly. */
static void holds_at_every_cut(void **state)
{
	static const char path[] = BURSTABLE "/cri-containerd-" ID1 ".scope/x.service";
	size_t len;
	char *components = leaf_first(path, &len);

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		char *exact = malloc(cut ? cut : 1);
		struct hs_cgroup cgroup;

		memcpy(exact, components, cut);
		hs_cgroup_parse(exact, cut, &cgroup);
		assert_true(!cgroup.unit[0] || !strcmp(cgroup.unit, "x.service"));
		assert_true(!cgroup.container_id[0] || !strcmp(cgroup.container_id, ID1));
		assert_true(!cgroup.pod_uid[0] || !strcmp(cgroup.pod_uid, UID));
		free(exact);
	}
	free(components);
}

static void long_units_keep_their_suffix(void **state)
{
	char path[300], *end;
	struct hs_cgroup cgroup;

	(void)state;
	memset(path, 'u', sizeof(path));
	end = path + 247;
	strcpy(end, ".service");
	hs_cgroup_parse(path, strlen(path) + 1, &cgroup);
	assert_int_equal(strlen(cgroup.unit), HS_NAME_LEN - 1);
	assert_string_equal(strchr(cgroup.unit, '.'), ".service");
}

static void nothing_from_nothing(void **state)
{
	struct hs_cgroup cgroup;

	(void)state;
	hs_cgroup_parse(NULL, 0, &cgroup);
	assert_string_equal(cgroup.container_id, "");
	hs_cgroup_parse("\0\0\0", 3, &cgroup);
	assert_string_equal(cgroup.container_id, "");
	assert_string_equal(cgroup.runtime, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_containers),
		cmocka_unit_test(finds_pods),
		cmocka_unit_test(finds_helpers),
		cmocka_unit_test(finds_nested),
		cmocka_unit_test(finds_units),
		cmocka_unit_test(finds_impostors),
		cmocka_unit_test(holds_at_every_cut),
		cmocka_unit_test(long_units_keep_their_suffix),
		cmocka_unit_test(nothing_from_nothing),
	};

	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
