// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/record.h"

#include <errno.h>

static const unsigned short minimum[HS_EV_MAX] = {
	[HS_EV_PROCESS] = sizeof(struct hs_ev_process),
	[HS_EV_CONNECTION] = HS_EV_CONNECTION_OPEN_SIZE,
	[HS_EV_ACCEPT] = sizeof(struct hs_ev_socket),
	[HS_EV_LISTENER] = sizeof(struct hs_ev_listener),
	[HS_EV_RETRANSMIT] = sizeof(struct hs_ev_retransmit),
	[HS_EV_RESET] = sizeof(struct hs_ev_reset),
	[HS_EV_SOCKET_ERROR] = sizeof(struct hs_ev_error),
	[HS_EV_CONNECT_ERROR] = sizeof(struct hs_ev_error),
	[HS_EV_PASS] = sizeof(struct hs_ev_pass),
	[HS_EV_LOSS] = sizeof(struct hs_ev_loss),
	[HS_EV_DROP] = sizeof(struct hs_ev_drop),
	[HS_EV_COUNTERS] = HS_EV_COUNTERS_SIZE,
	[HS_EV_STATUS] = sizeof(struct hs_ev_status),
	[HS_EV_ADDRESS] = sizeof(struct hs_ev_address),
	[HS_EV_DATA] = sizeof(struct hs_ev_data),
	[HS_EV_CALL] = sizeof(struct hs_ev_call),
	[HS_EV_COUNTED] = sizeof(struct hs_ev_counted),
	[HS_EV_LATENCIES] = sizeof(struct hs_ev_latencies),
	[HS_EV_DATAGRAM] = sizeof(struct hs_ev_datagram),
};

static size_t connection_minimum(const struct hs_ev_socket *socket)
{
	switch (socket->phase) {
	case HS_PHASE_OPEN:
		return HS_EV_CONNECTION_OPEN_SIZE;
	case HS_PHASE_CLOSE:
		return HS_EV_CONNECTION_BRIEF_SIZE;
	default:
		return sizeof(struct hs_ev_connection);
	}
}

int hs_record_check(const struct hs_event *event, size_t size)
{
	if (size < sizeof(*event) || event->size > size || event->size % 8)
		return -EBADMSG;
	if (!event->kind || event->kind >= HS_EV_MAX || event->size < minimum[event->kind])
		return -EBADMSG;
	if (event->kind == HS_EV_CONNECTION && event->size < connection_minimum((const void *)event))
		return -EBADMSG;
	if (event->kind == HS_EV_DATA) {
		const struct hs_ev_data *data = (const void *)event;

		if (data->captured > data->length || data->captured > event->size - sizeof(*data))
			return -EBADMSG;
	}
	if (event->kind == HS_EV_CALL) {
		const struct hs_ev_call *call = (const void *)event;

		if (call->run_count > HS_RUNS || call->run_count > (event->size - sizeof(*call)) / sizeof(call->runs[0]))
			return -EBADMSG;
	}
	if (event->kind == HS_EV_LATENCIES) {
		const struct hs_ev_latencies *latencies = (const void *)event;

		if (latencies->count > (event->size - sizeof(*latencies)) / sizeof(latencies->bins[0]))
			return -EBADMSG;
	}
	if (event->kind == HS_EV_DATAGRAM) {
		const struct hs_ev_datagram *datagram = (const void *)event;

		if (datagram->captured > datagram->length || datagram->captured > event->size - sizeof(*datagram))
			return -EBADMSG;
	}
	return 0;
}

static const char *const loss_names[HS_LOSS_MAX] = {
	[HS_LOSS_RING_PROCESS] = "ring_process",
	[HS_LOSS_RING_CONNECTION] = "ring_connection",
	[HS_LOSS_RING_ACCEPT] = "ring_accept",
	[HS_LOSS_RING_LISTENER] = "ring_listener",
	[HS_LOSS_RING_RETRANSMIT] = "ring_retransmit",
	[HS_LOSS_RING_RESET] = "ring_reset",
	[HS_LOSS_RING_ERROR] = "ring_error",
	[HS_LOSS_RING_DROP] = "ring_drop",
	[HS_LOSS_RING_DATA] = "ring_data",
	[HS_LOSS_RING_CALL] = "ring_call",
	[HS_LOSS_STORAGE] = "socket_storage",
	[HS_LOSS_DROP_BURST] = "drop_burst",
	[HS_LOSS_RING_DATAGRAM] = "ring_datagram",
};

const char *hs_loss_name(enum hs_loss loss)
{
	return loss < HS_LOSS_MAX ? loss_names[loss] : "unknown";
}
