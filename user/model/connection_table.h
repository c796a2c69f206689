/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the model: the table of connections, and the lists on which they wait. */
#ifndef HS_MODEL_CONNECTION_TABLE_H
#define HS_MODEL_CONNECTION_TABLE_H

#include "model/private.h"

/* Put at the end of a list (HS_LIST_…), off the one where it was; or off it alone. */
void hs_connection_enlist(struct hs_model *model, struct hs_connection *connection, int list);
void hs_connection_unlist(struct hs_model *model, struct hs_connection *connection);

/* The tuple of a record of that side, as a connection has it. */
void hs_connection_key(const struct hs_ev_socket *socket, enum hs_side side, struct hs_connection *key);

/* Each returns NULL when there is none. */
struct hs_connection *hs_connection_by_cookie(struct hs_model *model, uint64_t cookie, enum hs_side *side);
/* One that this side may belong to: established_ns tells among several, 0 when it is not known. */
struct hs_connection *hs_connection_joinable(struct hs_model *model, const struct hs_connection *key, enum hs_side side,
					     uint32_t netns, uint64_t established_ns);

/* The connection of the socket, a new one if need be; *side is the end that it is. NULL: no memory. */
struct hs_connection *hs_connection_get(struct hs_model *model, const struct hs_ev_socket *socket,
					uint64_t established_ns, enum hs_side *side);

/* All is known that will be known: give the edge the rest, and forget. */
void hs_connection_finish(struct hs_model *model, struct hs_connection *connection);

#endif
