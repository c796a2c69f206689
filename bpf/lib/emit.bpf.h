/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one way from a program to userspace: reserve a record, or count the loss. */
#ifndef HS_EMIT_BPF_H
#define HS_EMIT_BPF_H

#include "kernel.h"
#include "hopscope/event.h"

/* Records on their way. Producers: all programs. Consumer: the agent. Size set by the loader. */
struct hs_ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};
extern struct hs_ring_map hs_ring SEC(".maps");

extern __u64 hs_losses[HS_LOSS_MAX]; /* bpf/state.bpf.c */
extern __u32 hs_live;
extern const volatile __u64 hs_wakeup_bytes;

static __always_inline void hs_lost(enum hs_loss stage)
{
	__sync_fetch_and_add(&hs_losses[stage], 1);
}

/*
 * The agent drains on a timer; a wake-up per record would cost more than the record. Only a
 * ring that fills faster than the timer turns wakes it.
 */
static __always_inline __u64 hs_ring_flags(void)
{
	return bpf_ringbuf_query(&hs_ring, BPF_RB_AVAIL_DATA) >= hs_wakeup_bytes ?
		BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void hs_event_init(struct hs_event *event, __u16 kind, __u16 size, __u64 time_ns)
{
	event->kind = kind;
	event->size = size;
	event->cpu = bpf_get_smp_processor_id();
	event->time_ns = time_ns;
}

/* SIZE zeroed bytes with the record's header written; NULL when the ring is full, and counted. */
#define hs_reserve_at(TIME, SIZE, KIND, STAGE)                          \
	({                                                              \
		void *_record = bpf_ringbuf_reserve(&hs_ring, SIZE, 0); \
		if (_record) {                                          \
			__builtin_memset(_record, 0, SIZE);             \
			hs_event_init(_record, KIND, SIZE, TIME);       \
		} else {                                                \
			hs_lost(STAGE);                                 \
		}                                                       \
		_record;                                                \
	})
#define hs_reserve_size(SIZE, KIND, STAGE) hs_reserve_at(bpf_ktime_get_ns(), SIZE, KIND, STAGE)
#define hs_reserve(TYPE, KIND, STAGE) ((TYPE *)hs_reserve_size(sizeof(TYPE), KIND, STAGE))

static __always_inline void hs_submit(void *record)
{
	bpf_ringbuf_submit(record, hs_ring_flags());
}

#endif
