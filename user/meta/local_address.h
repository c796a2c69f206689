/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that a network namespace has: who connects to one of them stays on this node. */
#ifndef HS_META_LOCAL_ADDRESS_H
#define HS_META_LOCAL_ADDRESS_H

#include <stdint.h>

/* IPv4 comes as v4-mapped IPv6. */
typedef void (*hs_local_address_fn)(void *arg, const uint8_t address[16]);

/*
 * Tells every address in the network namespace of pid, some of them twice, without loopback and
 * link-local ones (which mean something else in every namespace). From PROC/PID/net/fib_trie and if_inet6
 * (net/ipv4/fib_trie.c, net/ipv6/addrconf.c). 0, or -errno when neither could be read.
 */
int hs_local_addresses(const char *proc, uint32_t pid, hs_local_address_fn tell, void *arg);

#endif
