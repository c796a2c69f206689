/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of hooks against the BPF object that was built: opened, not loaded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "hopscope.skel.h"
#include "hopscope/kfunc.h"
#include "probe/hooks.h"
#include "probe/kfunc.h"

static struct hs_bpf *skeleton;

static int open_object(void **state)
{
	(void)state;
	skeleton = hs_bpf__open();
	return skeleton ? 0 : -1;
}

static int close_object(void **state)
{
	(void)state;
	hs_bpf__destroy(skeleton);
	return 0;
}

/* Lower case and underscores: these are label values and words of the configuration. */
static void is_word(const char *name)
{
	assert_non_null(name);
	assert_true(*name);
	assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
}

static void every_hook_is_described(void **state)
{
	(void)state;
	for (int i = 0; i < HS_HOOK_COUNT; i++) {
		const struct hs_hook_def *hook = &hs_hook_defs[i];

		is_word(hook->name);
		assert_true(strlen(hook->gives) > 10);
		assert_true(strlen(hook->lost) > 10);
		assert_null(strchr(hook->gives, '\n'));
		assert_null(strchr(hook->lost, '\n'));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(hook->name, hs_hook_defs[j].name);
	}
}

static void every_ladder_has_rungs(void **state)
{
	(void)state;
	for (int i = 0; i < HS_HOOK_COUNT; i++) {
		const struct hs_rung_def *ladder = hs_hook_defs[i].ladder;
		bool ended = false;

		is_word(ladder[0].name);
		for (int rung = 0; rung < HS_HOOK_RUNGS; rung++) {
			ended |= !ladder[rung].name;
			assert_int_equal(!ladder[rung].name, ended); /* no gaps */
			assert_int_equal(!ladder[rung].programs[0], ended);
			if (ladder[rung].misses)
				assert_true(rung > 0 && *ladder[rung].misses); /* a better rung does not */
		}
	}
}

static const char *hook_of(const char *program, const char **rung)
{
	for (int i = 0; i < HS_HOOK_COUNT; i++)
		for (int r = 0; r < HS_HOOK_RUNGS; r++)
			for (int p = 0; p < HS_RUNG_PROGRAMS; p++) {
				const struct hs_rung_def *def = &hs_hook_defs[i].ladder[r];

				if (def->programs[p] && !strcmp(def->programs[p], program)) {
					*rung = def->name;
					return hs_hook_defs[i].name;
				}
			}
	return NULL;
}

static void every_program_named_exists(void **state)
{
	(void)state;
	for (int i = 0; i < HS_HOOK_COUNT; i++)
		for (int r = 0; r < HS_HOOK_RUNGS; r++)
			for (int p = 0; p < HS_RUNG_PROGRAMS; p++) {
				const char *name = hs_hook_defs[i].ladder[r].programs[p];

				if (name && !bpf_object__find_program_by_name(skeleton->obj, name))
					fail_msg("%s: there is no program %s", hs_hook_defs[i].name, name);
			}
}

/* A program in no ladder would never be loaded. Rungs are named by how they attach. */
static void every_program_is_in_a_ladder(void **state)
{
	static const struct {
		const char *section, *rung;
	} kinds[] = {
		{ "tp_btf/", "tp_btf" },
		{ "fexit/", "fexit" },
		{ "tracepoint/syscalls/", "syscalls" },
		{ "iter/", "iter" },
		{ "cgroup_skb/", "cgroup_skb" },
		{ "cgroup_skb/", "cgroup_skb_tcp" },
		{ "cgroup/", "cgroup" },
		{ "tp_btf/sys_", "syscalls" }, /* the same for all calls, without an event id */
		{ "tp_btf/fib", "cgroup" }, /* what comes of a route look-up inside connect() */
	};
	struct bpf_program *program;
	size_t count = 0;

	(void)state;
	bpf_object__for_each_program(program, skeleton->obj) {
		const char *section = bpf_program__section_name(program), *rung = NULL;
		const char *hook = hook_of(bpf_program__name(program), &rung);
		bool fits = false;

		if (!hook)
			fail_msg("no hook wants %s", bpf_program__name(program));
		for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
			fits |= !strcmp(rung, kinds[i].rung) &&
				!strncmp(section, kinds[i].section, strlen(kinds[i].section));
		if (!fits)
			fail_msg("%s is %s, in a rung called %s", bpf_program__name(program), section, rung);
		count++;
	}
	assert_true(count >= HS_HOOK_COUNT);
}

/*
 * libbpf resolves an extern for programs too that are not loaded, and looks into all modules for one
 * that the kernel has not: without CAP_SYS_ADMIN nothing could be loaded at all.
 */
static void no_extern_functions(void **state)
{
	(void)state;
	assert_true(btf__find_by_name_kind(bpf_object__btf(skeleton->obj), ".ksyms", BTF_KIND_DATASEC) < 0);
	assert_int_equal(hs_kfunc_find("hs_no_such_function"), -ENOENT);
}

static size_t calls_of(const char *name, unsigned src_reg, int32_t imm)
{
	struct bpf_program *program = bpf_object__find_program_by_name(skeleton->obj, name);
	const struct bpf_insn *insns = bpf_program__insns(program);
	size_t calls = 0;

	for (size_t i = 0; i < bpf_program__insn_cnt(program); i++)
		calls += insns[i].code == (BPF_JMP | BPF_CALL) && insns[i].src_reg == src_reg && insns[i].imm == imm;
	return calls;
}

/* Who calls the function is what says so in its ladder: no call is left to a helper that nobody has. */
static void kernel_functions_are_linked(void **state)
{
	static const char *const callers[] = { "hs_no_route4", "hs_no_route6" };

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(calls_of(callers[i], 0, HS_KFUNC_TASK_WORK), 1);
	assert_int_equal(hs_kfunc_link(skeleton->obj, HS_KFUNC_TASK_WORK, 4711), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(calls_of(callers[i], 0, HS_KFUNC_TASK_WORK), 0);
		assert_int_equal(calls_of(callers[i], BPF_PSEUDO_KFUNC_CALL, 4711), 1);
	}
}

/* No kprobe and no fentry is ever needed. */
static void no_kprobes(void **state)
{
	struct bpf_program *program;

	(void)state;
	bpf_object__for_each_program(program, skeleton->obj) {
		assert_int_not_equal(bpf_program__type(program), BPF_PROG_TYPE_KPROBE);
		assert_null(strstr(bpf_program__section_name(program), "fentry"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hook_is_described),
		cmocka_unit_test(every_ladder_has_rungs),
		cmocka_unit_test(every_program_named_exists),
		cmocka_unit_test(every_program_is_in_a_ladder),
		cmocka_unit_test(no_kprobes),
		cmocka_unit_test(no_extern_functions),
		cmocka_unit_test(kernel_functions_are_linked),
	};

	return cmocka_run_group_tests_name("hooks", tests, open_object, close_object);
}
