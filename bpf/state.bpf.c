/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all programs share: maps, counters, and the constants that the loader sets. */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/sock.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct hs_ring_map hs_ring SEC(".maps");
struct hs_socks_map hs_socks SEC(".maps");
struct hs_ignored_map hs_ignored SEC(".maps");

/* Lost records by enum hs_loss; only ever grows. */
__u64 hs_losses[HS_LOSS_MAX];

__u32 hs_live; /* somebody follows the events as they happen: set by the agent */
__u64 hs_sock_count; /* entries in hs_socks, dead ones included; near enough */

const volatile __u64 hs_sock_bound = 512; /* above it, dead entries are swept out */
const volatile __u64 hs_tick_ns = 4000000;
const volatile __u64 hs_wakeup_bytes = 1;
