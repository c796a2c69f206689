// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/hooks.h"

const struct hs_hook_def hs_hook_defs[HS_HOOK_COUNT] = {
	[HS_HOOK_CONNECTION] = {
		.name = "connection",
		.gives = "connections opened, closed and failed; handshake times; listeners",
		.lost = "only what a snapshot pass meets is seen: no short connections, no failures, no times",
		.ladder = { { "tp_btf", { "hs_tcp_state", "hs_tcp_state_again" } } },
	},
	[HS_HOOK_CONNECT] = {
		.name = "connect",
		.gives = "connect() errors that come before a SYN: no route, no ports, denied",
		.lost = "connects that fail without sending anything (unreachable, no_ports, denied) are not counted",
		.ladder = {
			{ "fexit", { "hs_connect_fexit", "hs_connect_denied_fexit" } },
			{ "cgroup", { "hs_connect4", "hs_connect6", "hs_no_route4", "hs_no_route6" },
			  .misses = "connects that a security module denies",
			  .calls = "bpf_task_work_schedule_resume_impl" },
			{ "syscalls", { "hs_connect_exit" } },
		},
	},
	[HS_HOOK_ACCEPT] = {
		.name = "accept",
		.gives = "when accept() returned, and to which process",
		.lost = "accept delays; the owner of a short connection is who closed it",
		.ladder = {
			{ "fexit", { "hs_accept_fexit" } },
			{ "cgroup", { "hs_accept_name4", "hs_accept_name6" },
			  .misses = "an accept() that does not ask for the peer's address (Node.js), until somebody asks" },
			{ "syscalls", { "hs_accept_exit", "hs_accept4_exit" } },
		},
	},
	[HS_HOOK_RETRANSMIT] = {
		.name = "retransmit",
		.gives = "retransmitted segments by kind, as they happen",
		.lost = "retransmits are counted as kind=\"untraced\", from the socket, without events",
		.ladder = { { "tp_btf", { "hs_tcp_retransmit" } } },
	},
	[HS_HOOK_RETRANSMIT_SYN_ACK] = {
		.name = "retransmit_syn_ack",
		.gives = "SYN-ACKs sent again, and whether the accept queue was full",
		.lost = "retransmits of kind=\"syn_ack\" are not counted",
		.ladder = { { "tp_btf", { "hs_tcp_retransmit_synack" } } },
	},
	[HS_HOOK_RESET_RECEIVED] = {
		.name = "reset_received",
		.gives = "resets that arrive",
		.lost = "resets received are not counted",
		.ladder = { { "tp_btf", { "hs_tcp_receive_reset" } } },
	},
	[HS_HOOK_RESET_SENT] = {
		.name = "reset_sent",
		.gives = "resets that are sent, and why",
		.lost = "resets sent are not counted",
		.ladder = { { "tp_btf", { "hs_tcp_send_reset" } } },
	},
	[HS_HOOK_SOCKET_ERROR] = {
		.name = "socket_error",
		.gives = "asynchronous errors as sockets report them",
		.lost = "no error events; failures are still counted when connections close",
		.ladder = { { "tp_btf", { "hs_sk_error_report" } } },
	},
	[HS_HOOK_DROP] = {
		.name = "drop",
		.gives = "packets that the kernel here dropped, and why",
		.lost = "drops on this node are not told from losses in the network",
		.ladder = { { "tp_btf", { "hs_drop" } } },
	},
	[HS_HOOK_ICMP] = {
		.name = "icmp",
		.gives = "TCP packets that the kernel here answers by ICMP: rules that reject, routers without a route",
		.lost = "a reject that comes back inside a connect() that does not block looks like a cancelled connect",
		.ladder = { { "tp_btf", { "hs_icmp" } } },
	},
	[HS_HOOK_PAYLOAD] = {
		.name = "payload",
		.gives = "requests and responses of clear-text protocols; DNS lookups",
		.lost = "connections only: no requests, no routes, no status, no request times, no lookups",
		.ladder = {
			{ "cgroup_skb", { "hs_data_skb" } },
			{ "cgroup_skb_tcp", { "hs_data_skb_tcp" } }, /* no DNS over UDP */
			{ "syscalls", { "hs_sys_enter", "hs_sys_exit" },
			  .misses = "what io_uring carries, of sendfile() and splice() more than the length, and when a "
				    "request arrives: only when it is read; every system call of the machine pays for it" },
		},
	},
	[HS_HOOK_READ] = {
		.name = "read",
		.gives = "when a server begins to read a request: queue time apart from service time",
		.lost = "queue and service times: how long requests wait before they are read",
		.ladder = { { "tp_btf", { "hs_read" } } },
	},
	[HS_HOOK_SNAPSHOT] = {
		.name = "snapshot",
		.gives = "sockets older than the agent, live samples, listeners and their queues",
		.lost = "only connections opened after the agent; no live bytes and RTT; no backlog",
		.ladder = { { "iter", { "hs_snapshot" } } },
	},
};
