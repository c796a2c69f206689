/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel types we read, cut down to the fields we read: this file is the list of what we
 * depend on. CO-RE relocates every access to the running kernel's layout; a field that some
 * kernels lack is read behind bpf_core_field_exists() and says so here.
 */
#ifndef HS_KERNEL_H
#define HS_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "hopscope/kfunc.h"

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define SOCK_STREAM 1
#define RT_TABLE_LOCAL 255 /* include/uapi/linux/rtnetlink.h */
#define RTF_REJECT 0x0200  /* include/uapi/linux/route.h */

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

/* include/uapi/linux/tcp.h, enum tcp_ca_state */
#define TCP_CA_Open 0
#define TCP_CA_Recovery 3
#define TCP_CA_Loss 4

#define PF_EXITING 0x00000004 /* include/linux/sched.h */
#define PF_KTHREAD 0x00200000
#define SOCK_DONE 1   /* include/net/sock.h, enum sock_flags: the peer's FIN came */
#define SOCK_LINGER 4 /* SO_LINGER is set */
#define SHUTDOWN_MASK 3 /* include/net/sock.h */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned long skc_flags; /* sk_flags */
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct {
		__s64 counter;
	} skc_cookie;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	atomic_t sk_drops;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	int sk_err;
	int sk_err_soft;
	__u16 sk_protocol;
	__u16 sk_type;
	__u8 sk_shutdown;
	unsigned long sk_lingertime; /* jiffies */
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport; /* stays when a close takes skc_num away; 0 when no port was found */
};

struct request_sock {
	struct sock_common __req_common;
	struct request_sock *dl_next;
	__u8 num_timeout : 7;
	struct sock *sk;
};

struct inet_request_sock {
	struct request_sock req;
	__u16 snd_wscale : 4, rcv_wscale : 4, tstamp_ok : 1, sack_ok : 1, wscale_ok : 1, ecn_ok : 1,
		acked : 1;
};

struct request_sock_queue {
	atomic_t qlen;
	struct request_sock *rskq_accept_head;
};

struct inet_bind_bucket {
	signed char fastreuse; /* -1: the kernel chose the port in connect() */
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct request_sock_queue icsk_accept_queue;
	struct inet_bind_bucket *icsk_bind_hash;
	__u32 icsk_rto; /* jiffies */
	__u8 icsk_ca_state : 5;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
	__u8 icsk_backoff;
	__u8 icsk_probes_out;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
	__u32 icsk_user_timeout;
};

struct minmax_sample {
	__u32 t, v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 segs_in, segs_out;
	__u64 bytes_acked, bytes_received;
	__u32 rcv_nxt, copied_seq, snd_nxt, snd_una, write_seq;
	__u32 lsndtime, rcv_tstamp; /* tcp_jiffies32 */
	__u64 tcp_clock_cache; /* when it last sent or received a segment: bpf_ktime_get_ns() */
	__u32 snd_wnd, rcv_wnd;
	__u32 mss_cache, delivered;
	__u32 srtt_us;  /* eighths */
	__u32 mdev_us;  /* quarters */
	struct minmax rtt_min;
	__u32 packets_out, lost_out;
	__u32 snd_cwnd, snd_ssthresh;
	__u32 total_retrans;
	__u32 chrono_start;   /* jiffies */
	__u32 chrono_stat[3]; /* jiffies: busy, limited by the peer's window, by our buffer */
	__u8 chrono_type : 2;
};

struct tcp_skb_cb { /* include/net/tcp.h; it lies at the start of sk_buff.cb */
	__u32 seq;
	__u32 end_seq;
	union {
		struct {
			__u16 tcp_gso_segs;
			__u16 tcp_gso_size;
		};
	};
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	char cb[48];
	unsigned long _skb_refdst; /* struct dst_entry, and two bits */
	unsigned int len, data_len;
	int skb_iif; /* 0: made here */
	__u16 transport_header;
	__u16 network_header;
	__be16 protocol;
	unsigned char *head, *data;
};

struct net_device {
	possible_net_t nd_net;
};

struct dst_entry {
	struct net_device *dev;
};

struct inode {
	unsigned long i_ino;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
};

struct kernfs_node {
	const char *name;
	struct kernfs_node *parent;
	__u64 id;
};

struct kernfs_node___615 { /* 6.15 renamed parent: 633488947ef6 ("kernfs: Use RCU to access …") */
	struct kernfs_node *__parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[14];
	struct cgroup *dfl_cgrp;
};

enum cgroup_subsys_id {
	pids_cgrp_id,
	memory_cgrp_id,
};

struct new_utsname {
	char nodename[65];
};

struct uts_namespace {
	struct new_utsname name;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
};

/* The system call under way; no other architecture is asked. */
struct pt_regs {
#if defined(__TARGET_ARCH_x86)
	unsigned long di, si, dx, r10, r8, ax, orig_ax;
#define HS_SYSCALL_ARG1(REGS) ((REGS)->di)
#define HS_SYSCALL_ARG2(REGS) ((REGS)->si)
#define HS_SYSCALL_ARG3(REGS) ((REGS)->dx)
#define HS_SYSCALL_ARG4(REGS) ((REGS)->r10)
#define HS_SYSCALL_ARG5(REGS) ((REGS)->r8)
#define HS_SYSCALL_NUMBER(REGS) ((REGS)->orig_ax)
#define HS_SYSCALL_RESULT(REGS) ((long)(REGS)->ax) /* on the way back to its caller */
#define HS_SYSCALL_READ 0
#define HS_SYSCALL_WRITE 1
#define HS_SYSCALL_READV 19
#define HS_SYSCALL_WRITEV 20
#define HS_SYSCALL_SENDFILE 40
#define HS_SYSCALL_CONNECT 42
#define HS_SYSCALL_SENDTO 44
#define HS_SYSCALL_RECVFROM 45
#define HS_SYSCALL_SENDMSG 46
#define HS_SYSCALL_RECVMSG 47
#define HS_SYSCALL_SPLICE 275
#define HS_SYSCALL_RECVMMSG 299
#define HS_SYSCALL_SENDMMSG 307
#elif defined(__TARGET_ARCH_arm64)
	__u64 regs[31], pstate, orig_x0;
	__s32 syscallno;
#define HS_SYSCALL_ARG1(REGS) ((REGS)->orig_x0) /* the result took its register */
#define HS_SYSCALL_ARG2(REGS) ((REGS)->regs[1])
#define HS_SYSCALL_ARG3(REGS) ((REGS)->regs[2])
#define HS_SYSCALL_ARG4(REGS) ((REGS)->regs[3])
#define HS_SYSCALL_ARG5(REGS) ((REGS)->regs[4])
#define HS_SYSCALL_NUMBER(REGS) ((REGS)->syscallno)
#define HS_SYSCALL_RESULT(REGS) ((long)(REGS)->regs[0])
#define HS_SYSCALL_READ 63
#define HS_SYSCALL_WRITE 64
#define HS_SYSCALL_READV 65
#define HS_SYSCALL_WRITEV 66
#define HS_SYSCALL_SENDFILE 71
#define HS_SYSCALL_SPLICE 76
#define HS_SYSCALL_CONNECT 203
#define HS_SYSCALL_SENDTO 206
#define HS_SYSCALL_RECVFROM 207
#define HS_SYSCALL_SENDMSG 211
#define HS_SYSCALL_RECVMSG 212
#define HS_SYSCALL_RECVMMSG 243
#define HS_SYSCALL_SENDMMSG 269
#endif
};

struct thread_info {
	__u32 status; /* x86 */
};

struct signal_struct {
	struct mm_struct *oom_mm; /* the OOM killer has chosen it */
};

struct task_struct {
	struct thread_info thread_info;
	int pid;
	int tgid;
	unsigned int flags;
	int exit_code; /* set before its files are closed */
	struct signal_struct *signal;
	__u64 start_boottime;
	__u64 self_exec_id; /* u32 before 5.7 */
	char comm[16];
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
};

struct flowi_common {
	__u8 flowic_proto;
};

struct flowi4 {
	struct flowi_common __fl_common;
};

struct flowi6 {
	struct flowi_common __fl_common;
};

struct fib6_table {
	__u32 tb6_id;
};

struct fib6_result {
	__u32 fib6_flags; /* RTF_REJECT: no route, or one that refuses */
};

struct seq_file;

struct bpf_map {
	__u32 id;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct trace_entry {
	unsigned short type;
	unsigned char flags;
	unsigned char preempt_count;
	int pid;
};

struct trace_event_raw_sys_exit {
	struct trace_entry ent;
	long id;
	long ret;
};

#pragma clang attribute pop

/* 6.18: what a map's value holds for bpf_task_work_schedule_resume_impl() (kernel/bpf/helpers.c). */
struct bpf_task_work {
	__u64 __opaque;
} __attribute__((aligned(8)));

typedef int (*bpf_task_work_callback_t)(struct bpf_map *map, void *key, void *value);

/*
 * Runs the callback in the task, on its way back to user space; 0 or -errno. A call of a helper that no
 * kernel has: the loader makes it one of this kernel function (user/probe/kfunc.h).
 */
static int (*const bpf_task_work_schedule_resume_impl)(struct task_struct *task, struct bpf_task_work *work,
						       void *map__map, bpf_task_work_callback_t callback,
						       void *aux__prog) = (void *)HS_KFUNC_TASK_WORK;

/*
 * A system call of a 32-bit program: its numbers and its memory's layout are others. TS_COMPAT is in
 * arch/x86/include/asm/thread_info.h, PSR_MODE32_BIT in arch/arm64/include/uapi/asm/ptrace.h.
 */
#if defined(__TARGET_ARCH_x86)
#define HS_SYSCALL_IS_COMPAT(REGS) (bpf_get_current_task_btf()->thread_info.status & 2)
#elif defined(__TARGET_ARCH_arm64)
#define HS_SYSCALL_IS_COMPAT(REGS) ((REGS)->pstate & 16)
#endif

/* User memory layouts: not the kernel's to move. */
struct hs_sockaddr {
	__u16 family;
	__be16 port;
	union {
		__be32 v4;
		struct {
			__be32 flowinfo;
			__u8 v6[16];
		};
	};
};

struct hs_iovec {
	__u64 base, length;
};

struct hs_msghdr {
	__u64 name;
	__u32 name_length, pad;
	__u64 iov, iov_count;
};

struct hs_mmsghdr {
	struct hs_msghdr message;
	__u64 control, control_length;
	__u32 flags, pad;
	__u32 length; /* sent, or received */
	__u32 pad2;
};

#endif
