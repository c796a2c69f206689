/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Introducing processes: the first time a process (or what it has exec'ed since) does
 * something with a socket, one record tells who it is, read while it is certainly alive.
 * Short-lived processes are gone before userspace could look.
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/emit.bpf.h"
#include "lib/task.bpf.h"

/* The longest that runtimes make: kubepods-burstable-pod<uid>.slice:cri-containerd:<id> has 143. */
#define HS_COMPONENT_LEN 160

struct hs_task_version {
	__u64 start_ns;
	__u64 exec_id;
};

/* Processes introduced already, by thread group id. Inserted here; the kernel evicts the oldest. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct hs_task_version);
} hs_tasks SEC(".maps");

/* Where a process record is put together: its size is known last, too large for the stack. */
struct hs_scratch {
	char process[sizeof(struct hs_ev_process)];
	char text[HS_EXE_LEN + HS_ARGS_LEN + HS_CGROUP_LEN + 256];
	struct hs_task_version last; /* whom this CPU introduced, or found to be, last */
	__u32 last_pid;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hs_scratch);
} hs_scratch SEC(".maps");

static __always_inline struct kernfs_node *hs_kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___615 *new = (void *)node;

	if (bpf_core_field_exists(new->__parent))
		return BPF_CORE_READ(new, __parent);
	return BPF_CORE_READ(node, parent);
}

static __always_inline struct kernfs_node *hs_css_node(struct css_set *cgroups, int id)
{
	struct cgroup_subsys_state *css = NULL;
	void *subsys = __builtin_preserve_access_index(&cgroups->subsys);

	bpf_probe_read_kernel(&css, sizeof(css), subsys + id * sizeof(css));
	return BPF_CORE_READ(css, cgroup, kn);
}

/*
 * The cgroup with something to say: that of the v2 hierarchy, or, where everything sits in
 * its root (v1 and hybrid hosts), that of the memory or pids controller.
 */
static __always_inline struct kernfs_node *hs_task_cgroup(struct task_struct *task, __u64 *id)
{
	struct css_set *cgroups = BPF_CORE_READ(task, cgroups);
	struct kernfs_node *node = BPF_CORE_READ(cgroups, dfl_cgrp, kn);

	*id = BPF_CORE_READ(node, id);
	if (!hs_kernfs_parent(node) && bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		node = hs_css_node(cgroups, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	if (!hs_kernfs_parent(node) && bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		node = hs_css_node(cgroups, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
	return node;
}

/* The way from a cgroup to the root of its hierarchy. */
struct hs_cgroup_walk {
	struct kernfs_node *node;
	char *text;
	__u32 at, end;
};

/* 1: that was all. */
static long hs_cgroup_component(__u32 depth, struct hs_cgroup_walk *walk)
{
	struct kernfs_node *node = walk->node, *parent = node ? hs_kernfs_parent(node) : NULL;
	__u32 at = walk->at;
	long length;

	if (!parent || at > walk->end)
		return 1; /* the root has no name */
	if (at > HS_EXE_LEN + HS_ARGS_LEN + HS_CGROUP_LEN)
		return 1; /* for the verifier */
	length = bpf_probe_read_kernel_str(walk->text + at, HS_COMPONENT_LEN, BPF_CORE_READ(node, name));
	if (length <= 0)
		return 1;
	walk->at = at + (length & 255);
	walk->node = parent;
	return 0;
}

/* Components, leaf first, each NUL-ended. Deep paths keep what is nearest to the leaf. */
static __always_inline __u32 hs_cgroup_text(char *text, __u32 at, struct kernfs_node *node)
{
	struct hs_cgroup_walk walk = {
		.node = node, .text = text, .at = at, .end = at + HS_CGROUP_LEN - HS_COMPONENT_LEN,
	};

	bpf_loop(12, hs_cgroup_component, &walk, 0);
	return walk.at;
}

static __always_inline __u32 hs_args_text(char *text, __u32 at, struct task_struct *task)
{
	unsigned long begin = BPF_CORE_READ(task, mm, arg_start);
	unsigned long end = BPF_CORE_READ(task, mm, arg_end);
	__u32 length;

	if (end <= begin)
		return at;
	length = end - begin > HS_ARGS_LEN - 1 ? HS_ARGS_LEN - 1 : end - begin;
	if (at > HS_EXE_LEN || bpf_probe_read_user(text + at, length & (HS_ARGS_LEN | 127), (void *)begin))
		return at;
	return at + length;
}

static __always_inline int hs_task_send(struct hs_scratch *scratch, struct task_struct *task)
{
	struct hs_ev_process *process = (void *)scratch->process;
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct uts_namespace *uts;
	struct kernfs_node *cgroup;
	long length;
	__u32 at;

	__builtin_memset(process, 0, sizeof(*process));
	process->pid = BPF_CORE_READ(task, tgid);
	process->parent_pid = BPF_CORE_READ(task, real_parent, tgid);
	process->start_ns = BPF_CORE_READ(leader, start_boottime);
	bpf_probe_read_kernel_str(process->comm, sizeof(process->comm),
				  __builtin_preserve_access_index(&leader->comm));
	uts = BPF_CORE_READ(task, nsproxy, uts_ns);
	bpf_probe_read_kernel_str(process->hostname, sizeof(process->hostname),
				  __builtin_preserve_access_index(&uts->name.nodename));

	length = bpf_probe_read_kernel_str(scratch->text, HS_EXE_LEN,
					   BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name));
	at = length & 127;
	barrier_var(at); /* or the bound is checked on a copy, and 6.1 does not see through that */
	if (length < 0 || at > HS_EXE_LEN)
		at = 0;
	process->exe_len = at;
	at = hs_args_text(scratch->text, at, task);
	process->args_len = at - process->exe_len;
	cgroup = hs_task_cgroup(task, &process->cgroup_id);
	at = hs_cgroup_text(scratch->text, at, cgroup);
	process->cgroup_len = at - process->exe_len - process->args_len;

	if (at > HS_EXE_LEN + HS_ARGS_LEN + HS_CGROUP_LEN)
		return -1; /* for the verifier */
	__builtin_memset(scratch->text + at, 0, 8); /* what rounds the size up is no leftover */
	at = (sizeof(*process) + at + 7) & ~7u;
	hs_event_init(&process->event, HS_EV_PROCESS, at, bpf_ktime_get_ns());
	if (!bpf_ringbuf_output(&hs_ring, scratch, at & 2047, hs_ring_flags()))
		return 0;
	hs_lost(HS_LOSS_RING_PROCESS);
	return -1;
}

static __always_inline bool hs_same_version(const struct hs_task_version *a, const struct hs_task_version *b)
{
	return a->start_ns == b->start_ns && a->exec_id == b->exec_id;
}

int hs_task_introduce(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct hs_task_version now = {
		.start_ns = task->group_leader->start_boottime,
		.exec_id = task->self_exec_id,
	};
	__u32 pid = task->tgid, zero = 0;
	struct hs_scratch *scratch = bpf_map_lookup_elem(&hs_scratch, &zero);
	struct hs_task_version *known;

	if (!scratch || (scratch->last_pid == pid && hs_same_version(&scratch->last, &now)))
		return 0;
	known = bpf_map_lookup_elem(&hs_tasks, &pid);
	if (!known || !hs_same_version(known, &now)) {
		if (hs_task_send(scratch, task))
			return 0; /* next time */
		bpf_map_update_elem(&hs_tasks, &pid, &now, BPF_ANY);
	}
	scratch->last_pid = pid;
	scratch->last = now;
	return 0;
}
