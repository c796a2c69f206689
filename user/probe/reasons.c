// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/reasons.h"

#include <bpf/btf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "SKB_DROP_REASON_"

/*
 * What makes a connection fail or slow. Left out is what TCP drops as a matter of course (old or
 * duplicate segments, what a reset has ended) and what is no fault of a path. A name that ends in
 * '*' stands for all that begin so. Later kernels have split some of them.
 */
static const char *const told[] = {
	/* rules and policies */
	"NETFILTER_DROP", "BPF_CGROUP_EGRESS", "TC_EGRESS", "TC_INGRESS", "XDP", "SOCKET_FILTER", "TAP_FILTER",
	"TAP_TXFILTER", "XFRM_POLICY", "SECURITY_HOOK", "IPV6DISABLED", "TCP_MD5*", "TCP_AO*", "TCP_AUTH_HDR",
	"TCP_MINTTL", "BRIDGE_INGRESS_STP_STATE",
	/* queues */
	"QDISC_*", "FQ_*", "CAKE_FLOOD", "DUALPI2_STEP_DROP", "CPU_BACKLOG", "FULL_RING", "TCP_LISTEN_OVERFLOW",
	"SOCKET_RCVBUFF", "SOCKET_BACKLOG", "TCP_ZEROWINDOW",
	/* memory */
	"PROTO_MEM", "NOMEM", "PFMEMALLOC",
	/* routes and neighbors */
	"IP_RPFILTER", "IP_INNOROUTES", "IP_OUTNOROUTES", "IP_INADDRERRORS", "IP_LOCAL_SOURCE",
	"IP_INVALID_SOURCE", "IP_LOCALNET", "IP_INVALID_DEST", "NEIGH_*", "PKT_TOO_BIG", "DEV_READY",
	"NO_TX_TARGET", "RECURSION_LIMIT",
	/* packets that are not right */
	"TCP_RFC7323_*", "TCP_CSUM", "IP_CSUM", "SKB_CSUM", "IP_INHDR",
};

static bool is_told(const char *name)
{
	for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
		size_t length = strlen(told[i]);

		if (told[i][length - 1] == '*' ? !strncmp(name, told[i], length - 1) : !strcmp(name, told[i]))
			return true;
	}
	return false;
}

void hs_reasons_add(struct hs_reasons *reasons, const char *name, uint32_t number)
{
	if (strncmp(name, PREFIX, strlen(PREFIX)) || number >= HS_DROP_REASONS)
		return;
	name += strlen(PREFIX);
	if (!is_told(name))
		return;
	snprintf(reasons->names[number], HS_DROP_REASON_LEN, "%s", name);
	if (!strcmp(name, "CPU_BACKLOG"))
		reasons->backlog = number;
}

void hs_reasons_read(struct hs_reasons *reasons)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *type;
	int id;

	memset(reasons, 0, sizeof(*reasons));
	id = btf ? btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM) : -1;
	type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	for (int i = 0; type && i < btf_vlen(type); i++)
		hs_reasons_add(reasons, btf__name_by_offset(btf, btf_enum(type)[i].name_off),
			       (uint32_t)btf_enum(type)[i].val);
	btf__free(btf);
}
