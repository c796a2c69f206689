/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When an application begins to read what its client has asked: until then the request waited in the
 * socket's queue, and only now the service begins. The tracepoint fires inside the call that reads, once for
 * what it copies.
 */
#include "kernel.h"
#include "hopscope/event.h"
#include "lib/sock.bpf.h"

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(hs_read, struct sock *sk)
{
	struct hs_sock *state;

	if (hs_is_ignored((__u64)sk))
		return 0;
	state = hs_sock_get(sk);
	if (state && state->data.unread) {
		state->data.unread = 0;
		state->data.read_ns = bpf_ktime_get_ns();
	}
	return 0;
}
