// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/kfunc.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int hs_kfunc_find(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id;

	if (!btf)
		return -errno;
	id = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	btf__free(btf);
	return id;
}

static int link_program(struct bpf_program *program, int32_t helper, int id)
{
	size_t count = bpf_program__insn_cnt(program);
	struct bpf_insn *insns = calloc(count, sizeof(*insns));
	int error;

	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), count * sizeof(*insns));
	for (size_t i = 0; i < count; i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg || insns[i].imm != helper)
			continue;
		insns[i].src_reg = BPF_PSEUDO_KFUNC_CALL;
		insns[i].imm = id;
	}
	error = bpf_program__set_insns(program, insns, count);
	free(insns);
	return error;
}

int hs_kfunc_link(struct bpf_object *object, int32_t helper, int id)
{
	struct bpf_program *program;
	int error = 0;

	bpf_object__for_each_program(program, object)
		if (!error && bpf_program__autoload(program))
			error = link_program(program, helper, id);
	return error;
}
