/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All programs as one object. The files are one compilation unit and not linked objects:
 * libbpf 1.1's static linker loses externs of maps in objects that define maps of their own.
 */
#include "state.bpf.c"
#include "task.bpf.c"
#include "count.bpf.c"
#include "redis.bpf.c"
#include "early.bpf.c"
#include "tcp.bpf.c"
#include "call.bpf.c"
#include "drop.bpf.c"
#include "dns.bpf.c"
#include "data.bpf.c"
#include "stream.bpf.c"
#include "read.bpf.c"
#include "snapshot.bpf.c"
