// SPDX-License-Identifier: GPL-2.0-or-later
/* The words for causes, and what to do about each. docs/FAILURES.md says the same at length. */
#include <string.h>

#include "model/finding.h"

static const struct {
	const char *name, *summary, *remedy;
} causes[HS_CAUSE_MAX] = {
	[HS_CAUSE_UNKNOWN] = {
		"unknown",
		"What was seen does not tell why.",
		"Look at the evidence and at the other end; with a capture there, say: tcpdump -ni any host ADDRESS and port PORT.",
	},
	[HS_CAUSE_NO_ANSWER] = {
		"no_answer",
		"No answer came to any SYN, and nothing on this node dropped it: the address is dead, or the network or a firewall beyond this node drops silently.",
		"Check that the address is alive (ping, tracepath ADDRESS), then security groups, network policies and firewalls on the way and at the server.",
	},
	[HS_CAUSE_DROPPED_EGRESS] = {
		"dropped_egress",
		"This node dropped the packets on their way out.",
		"The evidence names who: NETFILTER_DROP is a firewall rule (nft list ruleset, chains output and postrouting; iptables-save), TC_EGRESS or QDISC_DROP traffic control (tc filter show dev DEV egress, tc -s qdisc), BPF_CGROUP_EGRESS a cgroup program (bpftool cgroup tree).",
	},
	[HS_CAUSE_DROPPED_INGRESS] = {
		"dropped_ingress",
		"This node dropped the packets when they came in.",
		"The evidence names who: NETFILTER_DROP is a firewall rule or network policy (nft list ruleset, chains prerouting, input and forward; iptables-save), TC_INGRESS or XDP a program of the network plugin (tc filter show dev DEV ingress, bpftool net), SOCKET_FILTER a cgroup or socket program (bpftool cgroup tree).",
	},
	[HS_CAUSE_ACCEPT_QUEUE_FULL] = {
		"accept_queue_full",
		"The server's accept queue was full: its process does not call accept() as fast as connections come.",
		"See what keeps the server from accept() (blocked, stopped, too few workers). If it is only bursts: raise the backlog in its listen() and net.core.somaxconn in its network namespace, whichever is smaller counts.",
	},
	[HS_CAUSE_SYN_QUEUE_FULL] = {
		"syn_queue_full",
		"The server had too many handshakes under way, and dropped the SYN.",
		"A SYN flood, or lost SYN-ACKs that pile up. Keep net.ipv4.tcp_syncookies=1, raise net.ipv4.tcp_max_syn_backlog and the listen backlog.",
	},
	[HS_CAUSE_SYNACK_LOST] = {
		"synack_lost",
		"The SYN arrived and was answered, but the SYN-ACK got lost on the way back.",
		"Look for asymmetric routes, a firewall or NAT that has not seen the SYN, or a missing route from the server back to the client.",
	},
	[HS_CAUSE_NO_LISTENER] = {
		"no_listener",
		"Nobody listens on that port: the SYN was answered with a reset.",
		"Is the server running, on that port and address (ss -ltnp there)? One that listens on 127.0.0.1 only is not reached from outside. A rollout or a crash loop looks like this too.",
	},
	[HS_CAUSE_REJECTED] = {
		"rejected",
		"It was rejected on purpose: a firewall rule that rejects, or a service without endpoints.",
		"Kubernetes: kubectl get endpoints SERVICE (no ready pod behind it?). Else look for reject rules: nft list ruleset, iptables-save | grep REJECT.",
	},
	[HS_CAUSE_NEIGHBOR_FAILED] = {
		"neighbor_failed",
		"The next hop did not answer ARP or neighbour discovery.",
		"Check ip neigh show ADDRESS and that the host is up and in this network; look for a wrong netmask, VLAN or a pod address that is gone.",
	},
	[HS_CAUSE_NO_ROUTE] = {
		"no_route",
		"There is no route to the address: nothing was sent.",
		"Check ip route get ADDRESS in the client's network namespace.",
	},
	[HS_CAUSE_HOST_UNREACHABLE] = {
		"host_unreachable",
		"A router, or the host itself, answered that it cannot be reached (ICMP).",
		"See who says so: tcpdump -ni any icmp or icmp6; then that router's routes and rules.",
	},
	[HS_CAUSE_PORTS_EXHAUSTED] = {
		"ports_exhausted",
		"All local ports towards that address and port are in use.",
		"Reuse connections (a pool, keep-alive) instead of opening one per request; widen net.ipv4.ip_local_port_range; net.ipv4.tcp_tw_reuse=1.",
	},
	[HS_CAUSE_ADDRESS_IN_USE] = {
		"address_in_use",
		"The local address and port that the application asked for is in use.",
		"Do not bind a fixed port before connect(), or let the old connection go first: ss -tanp sport = :PORT.",
	},
	[HS_CAUSE_DENIED_BY_POLICY] = {
		"denied_by_policy",
		"The kernel here refused the connect: a cgroup program, a security module, seccomp or a prohibit route.",
		"bpftool cgroup tree; the audit log (ausearch -m avc); ip route show type prohibit.",
	},
	[HS_CAUSE_PEER_NOT_READING] = {
		"peer_not_reading",
		"The receiver's window is zero: its process does not read what was sent.",
		"See what the receiving process does: stopped, blocked, or slower than its input. Its end shows unread bytes in hopscope connections.",
	},
	[HS_CAUSE_LOCAL_NOT_READING] = {
		"local_not_reading",
		"Data has arrived, and the process here does not read it.",
		"See what the process does (its state is in the evidence): stopped, blocked on something else, or a thread that is lost.",
	},
	[HS_CAUSE_PATH_LOSS] = {
		"path_loss",
		"Segments get lost on the way, and nothing on this node dropped them.",
		"Look at the path: interface errors (ip -s link), a saturated or flapping link, a firewall that forgot the connection; mtr -T -P PORT ADDRESS.",
	},
	[HS_CAUSE_MTU_BLACKHOLE] = {
		"mtu_blackhole",
		"Small segments pass, full-sized ones do not: something on the path has a smaller MTU and does not say so.",
		"Lower the MTU of the interface or route to the smallest on the path (tunnels, VPNs), let ICMP fragmentation-needed pass, or set net.ipv4.tcp_mtu_probing=1.",
	},
	[HS_CAUSE_PEER_SILENT] = {
		"peer_silent",
		"The other end does not answer any more: it is gone without a word, or everything between is.",
		"Is the host alive? After a crash, a pulled cable or a NAT that forgot, only keep-alive or TCP_USER_TIMEOUT tells early: set them in the client.",
	},
	[HS_CAUSE_STALE_CONNECTION] = {
		"stale_connection",
		"An idle, pooled connection was used again after the other side had forgotten it.",
		"Let the pool close idle connections before the server, load balancer or NAT does (idle timeout shorter than theirs), or check them before use; TCP keep-alive below that timeout.",
	},
	[HS_CAUSE_PEER_PROCESS_DIED] = {
		"peer_process_died",
		"The process at the other end died.",
		"The evidence says of what. SIGKILL with oom: raise its memory limit or find the leak; other signals: its log and core dump; an exit: its own log. Rollouts should drain connections first.",
	},
	[HS_CAUSE_RESET_UNREAD_DATA] = {
		"reset_unread_data",
		"The other end closed the connection with data in it that it had not read, which resets it.",
		"Server: read the request to its end before closing (also on errors). Client: it was told to go away, the answer may be lost with the reset.",
	},
	[HS_CAUSE_RESET_BY_LINGER] = {
		"reset_by_linger",
		"The other end closed the connection with SO_LINGER 0: a reset on purpose.",
		"Take SO_LINGER 0 out of that program, unless it is a health check that does not care.",
	},
	[HS_CAUSE_RESET_ON_OVERFLOW] = {
		"reset_on_overflow",
		"The server's accept queue was full, and net.ipv4.tcp_abort_on_overflow makes it reset.",
		"As for accept_queue_full: make the server accept, or raise its backlog and somaxconn; set net.ipv4.tcp_abort_on_overflow=0 to let bursts pass.",
	},
	[HS_CAUSE_CONNTRACK_FULL] = {
		"conntrack_full",
		"The connection tracking table is full: new connections are dropped.",
		"Raise net.netfilter.nf_conntrack_max, shorten the timeouts, and find who opens so many connections.",
	},
	[HS_CAUSE_FD_EXHAUSTED] = {
		"fd_exhausted",
		"The process has no file descriptors left: it cannot accept or open connections.",
		"Raise its limit (LimitNOFILE= of the unit, ulimit -n), and look for a leak: ls /proc/PID/fd | wc -l, CLOSE_WAIT in hopscope connections.",
	},
	[HS_CAUSE_CLOSE_WAIT_LEAK] = {
		"close_wait_leak",
		"The other end closed long ago, and the process here never closes its own: it leaks sockets.",
		"A bug of the program: it must close a connection on which read() returned 0 (unclosed response bodies, pools that do not check).",
	},
	[HS_CAUSE_POOL_EXHAUSTED] = {
		"pool_exhausted",
		"All connections that the client keeps to this server are in use, and requests wait in it for one of them.",
		"Find what holds them (slow queries: pending_request in the evidence), then enlarge the pool.",
	},
	[HS_CAUSE_SERVER_THINKING] = {
		"server_thinking",
		"The server has the request, acknowledged it, and has not answered.",
		"The network is fine. Look at the server: slow query, lock, a call of its own that hangs (see its own edges in hopscope graph), all workers busy.",
	},
	[HS_CAUSE_MEMORY_PRESSURE] = {
		"memory_pressure",
		"The kernel here had no memory for sockets.",
		"Compare /proc/net/sockstat with net.ipv4.tcp_mem, and the memory limit of the cgroup.",
	},
	[HS_CAUSE_BACKLOG_DROPPED] = {
		"backlog_dropped",
		"The packet was dropped from a queue of a CPU or socket that was full.",
		"CPU_BACKLOG: raise net.core.netdev_max_backlog, spread interrupts (RPS). SOCKET_BACKLOG or SOCKET_RCVBUFF: the process reads too slowly for its buffer (net.ipv4.tcp_rmem).",
	},
	[HS_CAUSE_RP_FILTER] = {
		"rp_filter",
		"Reverse path filtering dropped the packet: the way back to its sender is through another interface.",
		"Fix the route back, or set net.ipv4.conf.IFACE.rp_filter=2 (loose) on the interface it came in by.",
	},
	[HS_CAUSE_TIMESTAMP_REJECTED] = {
		"timestamp_rejected",
		"The server rejected the packet by its TCP timestamp: often several clients behind one NAT address.",
		"Turn net.ipv4.tcp_tw_recycle off where it still exists; give the NAT a port range that is not reused so soon.",
	},
};

static const char *const ended_by[HS_ENDED_MAX] = {
	[HS_ENDED_PENDING] = "pending",
	[HS_ENDED_APPLICATION] = "application",
	[HS_ENDED_SYN_RETRIES] = "syn_retries",
	[HS_ENDED_USER_TIMEOUT] = "user_timeout",
	[HS_ENDED_KEEPALIVE] = "keepalive",
	[HS_ENDED_RETRANSMISSION_LIMIT] = "retransmission_limit",
	[HS_ENDED_ZERO_WINDOW_LIMIT] = "zero_window_limit",
	[HS_ENDED_PEER] = "peer",
	[HS_ENDED_LOCAL] = "local",
};

static const char *const moments[HS_MOMENT_MAX] = {
	[HS_MOMENT_SYN_SENT] = "syn_sent",
	[HS_MOMENT_SYN_SENT_AGAIN] = "syn_sent_again",
	[HS_MOMENT_SYN_ACK_SENT_AGAIN] = "syn_ack_sent_again",
	[HS_MOMENT_ESTABLISHED] = "established",
	[HS_MOMENT_ACCEPTED] = "accepted",
	[HS_MOMENT_SENT_AGAIN] = "sent_again",
	[HS_MOMENT_DROPPED] = "dropped",
	[HS_MOMENT_ICMP_SENT] = "icmp_sent",
	[HS_MOMENT_RESET_SENT] = "reset_sent",
	[HS_MOMENT_RESET_RECEIVED] = "reset_received",
	[HS_MOMENT_ERROR] = "error",
	[HS_MOMENT_CLOSED] = "closed",
	[HS_MOMENT_ENDED] = "ended",
	[HS_MOMENT_NOW] = "now",
};

const char *hs_cause_name(enum hs_cause cause)
{
	return causes[cause < HS_CAUSE_MAX ? cause : HS_CAUSE_UNKNOWN].name;
}

const char *hs_cause_summary(enum hs_cause cause)
{
	return causes[cause < HS_CAUSE_MAX ? cause : HS_CAUSE_UNKNOWN].summary;
}

const char *hs_cause_remedy(enum hs_cause cause)
{
	return causes[cause < HS_CAUSE_MAX ? cause : HS_CAUSE_UNKNOWN].remedy;
}

int hs_cause_of_name(const char *name)
{
	for (int cause = 0; cause < HS_CAUSE_MAX; cause++)
		if (!strcmp(causes[cause].name, name))
			return cause;
	return -1;
}

const char *hs_ended_by_name(enum hs_ended_by by)
{
	return by < HS_ENDED_MAX ? ended_by[by] : "unknown";
}

const char *hs_confidence_name(enum hs_confidence confidence)
{
	return confidence == HS_CONFIDENCE_PROVED ? "proved" :
	       confidence == HS_CONFIDENCE_INFERRED ? "inferred" : "unknown";
}

const char *hs_stage_name(enum hs_finding_stage stage)
{
	return stage == HS_STAGE_CONNECT ? "connect" : stage == HS_STAGE_ACCEPT ? "accept" : "transfer";
}

const char *hs_moment_name(enum hs_moment_type type)
{
	return type < HS_MOMENT_MAX ? moments[type] : "unknown";
}
