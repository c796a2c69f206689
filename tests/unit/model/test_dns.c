// SPDX-License-Identifier: GPL-2.0-or-later
/* From datagrams to lookups, retries, search lists, and names in the graph. */
#include <arpa/inet.h>
#include <stdio.h>

#include "l7/dns_message.h"
#include "model/private.h"
#include "model/record.h"

#define SERVER "192.0.2.53"
#define CLIENT "10.0.0.1"
#define NETNS 7
#define COOKIE 1000
#define PORT 40000

enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3 };

/* ---- messages ---- */

struct question {
	const char *name;
	uint16_t type, id;
};

static size_t put_name(uint8_t *at, const char *name)
{
	size_t filled = 0;

	while (*name) {
		size_t length = strcspn(name, ".");

		at[filled++] = length;
		memcpy(at + filled, name, length);
		filled += length;
		name += length + (name[length] == '.');
	}
	at[filled++] = 0;
	return filled;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static size_t put_head(uint8_t *at, const struct question *question, uint16_t flags, uint16_t answers)
{
	size_t length = 12;

	memset(at, 0, 12);
	put16(at, question->id);
	put16(at + 2, flags);
	put16(at + 4, 1);
	put16(at + 6, answers);
	length += put_name(at + length, question->name);
	put16(at + length, question->type);
	put16(at + length + 2, 1);
	return length + 4;
}

/* addresses: of IPv4, in one text; "" none */
static size_t put_answer(uint8_t *at, const struct question *question, unsigned rcode, const char *addresses)
{
	char text[256], *next, *word;
	unsigned count = 0;
	size_t length;

	snprintf(text, sizeof(text), "%s", addresses);
	for (const char *a = addresses; *a; a++)
		count += a == addresses || a[-1] == ' ';
	length = put_head(at, question, 0x8180 | rcode, count);
	for (word = strtok_r(text, " ", &next); word; word = strtok_r(NULL, " ", &next)) {
		static const uint8_t record[12] = { 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4 };

		memcpy(at + length, record, sizeof(record));
		assert_int_equal(inet_pton(AF_INET, word, at + length + 12), 1);
		length += 16;
	}
	return length;
}

/* ---- datagrams ---- */

/* One end of lookups. */
struct peer {
	enum hs_side side;
	const char *local, *remote;
	uint16_t local_port, remote_port;
	uint32_t pid, netns;
	uint64_t cookie;
};

static const struct peer client_peer = {
	HS_CLIENT, CLIENT, SERVER, PORT, HS_DNS_PORT, CLIENT_PID, NETNS, COOKIE,
};
static const struct peer server_peer = {
	HS_SERVER, SERVER, CLIENT, HS_DNS_PORT, PORT, SERVER_PID, NETNS + 1, COOKIE + 1,
};

static void datagram(const struct peer *peer, enum hs_direction direction, const uint8_t *bytes, size_t length)
{
	static _Alignas(8) char buffer[4096];
	struct hs_ev_datagram *event = (void *)buffer;
	bool leaves = direction == HS_DIRECTION_EGRESS;

	memset(buffer, 0, sizeof(buffer));
	*event = (struct hs_ev_datagram){
		.event = { .kind = HS_EV_DATAGRAM, .size = (sizeof(*event) + length + 7) & ~7, .time_ns = now_ns },
		.cookie = peer->cookie, .length = length, .captured = length, .direction = direction,
		.pid = leaves ? peer->pid : 0, .tid = leaves ? peer->pid : 0,
		.tuple = { .local_port = peer->local_port, .remote_port = peer->remote_port, .netns = peer->netns },
	};
	address_of(peer->local, event->tuple.local);
	address_of(peer->remote, event->tuple.remote);
	memcpy(event->bytes, bytes, length);
	assert_int_equal(feed(event), 0);
}

static void query_at(const struct peer *peer, const struct question *question)
{
	uint8_t bytes[512];

	datagram(peer, peer->side == HS_CLIENT ? HS_DIRECTION_EGRESS : HS_DIRECTION_INGRESS, bytes,
		 put_head(bytes, question, 0x0100, 0));
}

static void answer_at(const struct peer *peer, const struct question *question, unsigned rcode, const char *addresses)
{
	uint8_t bytes[1024];

	datagram(peer, peer->side == HS_CLIENT ? HS_DIRECTION_INGRESS : HS_DIRECTION_EGRESS, bytes,
		 put_answer(bytes, question, rcode, addresses));
}

static void look_up(const char *name, unsigned rcode, const char *addresses)
{
	static uint16_t id;
	struct question question = { name, HS_DNS_TYPE_A, ++id };

	query_at(&client_peer, &question);
	now_ns += 2 * MS;
	answer_at(&client_peer, &question, rcode, addresses);
	now_ns += MS;
}

static const struct hs_edge *lookups(void)
{
	const struct hs_edge *found = edge("curl", SERVER, HS_DNS_PORT);

	assert_non_null(found);
	return found;
}

static uint64_t misread(enum hs_l7_loss loss)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= HS_PROTOCOLS_MAX; i++)
		sum += hs_model_counters(model)->undecoded[i][loss];
	return sum;
}

/* The calls with that name and error; 0 when there is no such kind. */
static uint64_t calls(const struct hs_edge *edge, const char *name, const char *error)
{
	uint64_t count = 0;

	for (const struct hs_calls *c = edge->calls; c; c = c->hh.next)
		if (!strcmp(c->key.route, name) && !strcmp(c->key.error, error))
			count += c->count;
	return count;
}

/* ---- lookups ---- */

static void test_lookup(void **state)
{
	const struct hs_calls *kind;

	(void)state;
	look_up("API.example.com", NOERROR, "203.0.113.9");
	assert_int_equal(lookups()->call_count, 1);
	assert_int_equal(lookups()->call_failures, 0);
	assert_int_equal(lookups()->lookups.count, 1);
	assert_int_equal(lookups()->connects, 0);
	kind = lookups()->calls;
	assert_string_equal(kind->key.protocol->name, "dns");
	assert_string_equal(kind->key.operation, "A");
	assert_string_equal(kind->key.route, "api.example.com");
	assert_string_equal(kind->key.error, "");
	assert_int_equal(kind->key.status, 0);
	assert_int_equal(kind->key.end, HS_CALL_ANSWERED);
	assert_int_equal(kind->key.seen_at, HS_CLIENT);
	assert_true(kind->duration.sum > 0.0019 && kind->duration.sum < 0.0021);
	wait_ns(30 * SEC);
	assert_int_equal(lookups()->call_count, 1);
	assert_int_equal(lookups()->lookups.retries, 0);
}

static void test_rcodes(void **state)
{
	(void)state;
	look_up("a.test", NXDOMAIN, "");
	look_up("b.test", SERVFAIL, "");
	look_up("c.test", 5, "");
	assert_int_equal(calls(lookups(), "a.test", "nxdomain"), 1);
	assert_int_equal(calls(lookups(), "b.test", "servfail"), 1);
	assert_int_equal(calls(lookups(), "c.test", "refused"), 1);
	assert_int_equal(lookups()->call_failures, 2); /* no such name is an answer */
}

/* A and AAAA at the same time on one socket, answered in the other order. */
static void test_pair(void **state)
{
	struct question a = { "x.test", HS_DNS_TYPE_A, 1 }, aaaa = { "x.test", HS_DNS_TYPE_AAAA, 2 };

	(void)state;
	query_at(&client_peer, &a);
	query_at(&client_peer, &aaaa);
	now_ns += MS;
	answer_at(&client_peer, &aaaa, NOERROR, "");
	answer_at(&client_peer, &a, NOERROR, "");
	assert_int_equal(lookups()->call_count, 2);
	assert_int_equal(lookups()->lookups.retries, 0);
}

static void test_timeout(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };

	(void)state;
	query_at(&client_peer, &question);
	wait_ns(9 * SEC);
	assert_null(edge("curl", SERVER, HS_DNS_PORT));
	wait_ns(2 * SEC);
	assert_int_equal(calls(lookups(), "x.test", "timeout"), 1);
	assert_int_equal(lookups()->calls->key.end, HS_CALL_UNANSWERED);
	assert_int_equal(lookups()->calls->key.status, -1);
	assert_int_equal(lookups()->call_failures, 1);
	answer_at(&client_peer, &question, NOERROR, ""); /* too late */
	assert_int_equal(lookups()->call_count, 1);
}

/* An answer to another question, or under another id, is none. */
static void test_other_answer(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 }, other = { "y.test", HS_DNS_TYPE_A, 1 };
	struct question id = { "x.test", HS_DNS_TYPE_A, 2 };

	(void)state;
	query_at(&client_peer, &question);
	answer_at(&client_peer, &other, NOERROR, "");
	answer_at(&client_peer, &id, NOERROR, "");
	assert_null(edge("curl", SERVER, HS_DNS_PORT));
	answer_at(&client_peer, &question, NOERROR, "");
	assert_int_equal(lookups()->call_count, 1);
}

/* Its id is used again: what it stood for will not be answered any more. */
static void test_id_again(void **state)
{
	struct question first = { "x.test", HS_DNS_TYPE_A, 1 }, second = { "y.test", HS_DNS_TYPE_A, 1 };

	(void)state;
	query_at(&client_peer, &first);
	query_at(&client_peer, &second);
	answer_at(&client_peer, &second, NOERROR, "");
	assert_int_equal(calls(lookups(), "x.test", "timeout"), 1);
	assert_int_equal(calls(lookups(), "y.test", ""), 1);
}

static void test_garbage(void **state)
{
	uint8_t bytes[600] = { 0 };

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	datagram(&client_peer, HS_DIRECTION_EGRESS, bytes, sizeof(bytes));
	datagram(&client_peer, HS_DIRECTION_INGRESS, bytes, 1);
	assert_int_equal(misread(HS_L7_LOSS_MESSAGES), 2);
	assert_null(hs_model_edges(model));
}

/* What the agent itself asks for is nobody's business. */
static void test_own(void **state)
{
	struct hs_model_config config = test_config();
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };

	(void)state;
	config.self_pid = CLIENT_PID;
	begin(&config);
	query_at(&client_peer, &question);
	answer_at(&client_peer, &question, NOERROR, "");
	wait_ns(11 * SEC);
	assert_null(hs_model_edges(model));
}

/* More than are kept: the oldest are given up, and counted. */
static void test_bound(void **state)
{
	struct peer peer = client_peer;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		struct question question = { "x.test", HS_DNS_TYPE_A, i };

		peer.cookie = COOKIE + i;
		query_at(&peer, &question);
	}
	assert_int_equal(misread(HS_L7_LOSS_CALLS), 10000 - 8192);
	wait_ns(11 * SEC);
	assert_int_equal(lookups()->call_count, 8192);
}

/* ---- ends ---- */

/* Both ends tell: it is counted once, as the client has it, with who the server is. */
static void test_both_ends(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };
	const struct hs_edge *found;

	(void)state;
	query_at(&client_peer, &question);
	now_ns += MS;
	query_at(&server_peer, &question);
	now_ns += MS;
	answer_at(&server_peer, &question, NOERROR, "");
	now_ns += MS;
	answer_at(&client_peer, &question, NOERROR, "");
	wait_ns(11 * SEC);
	found = edge("curl", "nginx", HS_DNS_PORT);
	assert_non_null(found);
	assert_int_equal(found->call_count, 1);
	assert_int_equal(found->calls->key.seen_at, HS_CLIENT);
	assert_true(found->calls->duration.sum > 0.0029);
	assert_int_equal(totals().edges, 1);
}

/* Only the server is here. */
static void test_server_end(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 }, lost = { "y.test", HS_DNS_TYPE_A, 2 };
	const struct hs_edge *found;

	(void)state;
	query_at(&server_peer, &question);
	query_at(&server_peer, &lost);
	now_ns += MS;
	answer_at(&server_peer, &question, NXDOMAIN, "");
	found = edge(CLIENT, "nginx", HS_DNS_PORT);
	assert_non_null(found);
	assert_int_equal(calls(found, "x.test", "nxdomain"), 1);
	assert_int_equal(found->calls->key.seen_at, HS_SERVER);
	wait_ns(11 * SEC);
	assert_int_equal(calls(edge(CLIENT, SERVER, HS_DNS_PORT), "y.test", "timeout"), 1); /* nobody said who it was */
}

/* Two remote clients use the same port and id. */
static void test_remote_clients(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };
	struct peer other = server_peer;

	(void)state;
	other.remote = "10.0.0.2";
	query_at(&server_peer, &question);
	query_at(&other, &question);
	answer_at(&other, &question, NOERROR, "");
	answer_at(&server_peer, &question, SERVFAIL, "");
	assert_int_equal(calls(edge("10.0.0.2", "nginx", HS_DNS_PORT), "x.test", ""), 1);
	assert_int_equal(calls(edge(CLIENT, "nginx", HS_DNS_PORT), "x.test", "servfail"), 1);
}

/* The query went to a service's address and was sent on; the answer comes from the service's again. */
static void test_translated(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };
	struct peer query = client_peer;

	(void)state;
	query.remote = "10.244.0.9";
	query_at(&query, &question);
	answer_at(&client_peer, &question, NOERROR, "");
	assert_int_equal(lookups()->call_count, 1);
	assert_int_equal(totals().edges, 1);
}

/* A server that listens on TCP as well is known before it answers. */
static void test_listener(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };

	(void)state;
	listen_on(SERVER, HS_DNS_PORT, NETNS, SERVER_PID, 5);
	query_at(&client_peer, &question);
	wait_ns(11 * SEC);
	assert_non_null(edge("curl", "nginx", HS_DNS_PORT));
}

static void test_request(void **state)
{
	const struct hs_request *request;

	(void)state;
	look_up("x.test", SERVFAIL, "");
	request = hs_model_request(model, 0);
	assert_non_null(request);
	assert_string_equal(request->call.target, "x.test");
	assert_string_equal(request->end[HS_CLIENT].workload->identity.name, "curl");
	assert_string_equal(request->end[HS_CLIENT].comm, "curl");
	assert_int_equal(request->end[HS_CLIENT].port, PORT);
	assert_int_equal(request->end[HS_CLIENT].netns, NETNS);
	assert_int_equal(request->end[HS_SERVER].port, HS_DNS_PORT);
}

/* ---- retries ---- */

static void check_retried(uint64_t retries, uint64_t count)
{
	wait_ns(11 * SEC);
	assert_int_equal(lookups()->lookups.retries, retries);
	assert_int_equal(lookups()->call_count, count);
}

/* The same message again: one lookup, from its first query. */
static void test_retry(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };
	struct peer socket = client_peer;

	(void)state;
	query_at(&client_peer, &question);
	now_ns += SEC;
	query_at(&client_peer, &question);
	now_ns += SEC;
	socket.cookie++; /* from another socket */
	socket.local_port++;
	query_at(&socket, &question);
	now_ns += SEC;
	answer_at(&socket, &question, NOERROR, "");
	check_retried(2, 1);
	assert_true(lookups()->calls->duration.sum > 2.99 && lookups()->calls->duration.sum < 3.01);
}

static void test_retry_with_new_id(void **state)
{
	struct question first = { "x.test", HS_DNS_TYPE_A, 1 }, again = { "x.test", HS_DNS_TYPE_A, 2 };

	(void)state;
	query_at(&client_peer, &first);
	now_ns += SEC;
	query_at(&client_peer, &again);
	now_ns += MS;
	answer_at(&client_peer, &again, NOERROR, "");
	check_retried(1, 1);
}

/* All in vain: one lookup that failed, ten seconds after the last query. */
static void test_retried_in_vain(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };

	(void)state;
	for (int i = 0; i < 3; i++) {
		query_at(&client_peer, &question);
		wait_ns(5 * SEC);
	}
	assert_null(edge("curl", SERVER, HS_DNS_PORT));
	check_retried(2, 1);
	assert_int_equal(calls(lookups(), "x.test", "timeout"), 1);
}

/* Threads of one process that ask for the same at the same time are not one that asks again. */
static void test_no_retry(void **state)
{
	struct question first = { "x.test", HS_DNS_TYPE_A, 1 }, second = { "x.test", HS_DNS_TYPE_A, 2 };
	struct peer other = client_peer;

	(void)state;
	other.cookie++;
	query_at(&client_peer, &first);
	now_ns += MS;
	query_at(&other, &second);
	answer_at(&other, &second, NOERROR, "");
	answer_at(&client_peer, &first, NOERROR, "");
	check_retried(0, 2);
}

/* The next server of resolv.conf is another edge: the first one did not answer. */
static void test_other_server(void **state)
{
	struct question question = { "x.test", HS_DNS_TYPE_A, 1 };
	struct peer other = client_peer;

	(void)state;
	other.remote = "192.0.2.54";
	other.cookie++;
	query_at(&client_peer, &question);
	now_ns += 5 * SEC;
	query_at(&other, &question);
	answer_at(&other, &question, NOERROR, "");
	check_retried(0, 1);
	assert_int_equal(calls(lookups(), "x.test", "timeout"), 1);
	assert_int_equal(calls(edge("curl", "192.0.2.54", HS_DNS_PORT), "x.test", ""), 1);
}

/* ---- search lists ---- */

static void test_search(void **state)
{
	(void)state;
	look_up("api.example.com.shop.svc.cluster.local", NXDOMAIN, "");
	look_up("api.example.com.svc.cluster.local", NXDOMAIN, "");
	look_up("api.example.com.cluster.local", NXDOMAIN, "");
	look_up("api.example.com", NOERROR, "203.0.113.9");
	assert_int_equal(lookups()->lookups.search_misses, 3);
	assert_int_equal(lookups()->call_count, 4);
}

/* The guess that was right is none in vain. */
static void test_search_found(void **state)
{
	(void)state;
	look_up("db.shop.svc.cluster.local", NXDOMAIN, "");
	look_up("db.svc.cluster.local", NOERROR, "10.96.0.7");
	assert_int_equal(lookups()->lookups.search_misses, 1);
}

/* Domains that have nothing to do with each other: the plain name in the end tells. */
static void test_search_unlike(void **state)
{
	(void)state;
	look_up("db.corp.example.com", NXDOMAIN, "");
	look_up("db.lab.example.org", NXDOMAIN, "");
	assert_int_equal(lookups()->lookups.search_misses, 0);
	look_up("db", NXDOMAIN, "");
	assert_int_equal(lookups()->lookups.search_misses, 2);
}

/* With dots enough the name as it stands comes first. */
static void test_search_behind(void **state)
{
	(void)state;
	look_up("a.b.example.com", NXDOMAIN, "");
	look_up("a.b.example.com.corp.test", NXDOMAIN, "");
	look_up("a.b.example.com.test", NXDOMAIN, "");
	assert_int_equal(lookups()->lookups.search_misses, 2);
}

static void test_no_search(void **state)
{
	(void)state;
	look_up("www.foo.test", NXDOMAIN, "");
	look_up("www.bar.test", NXDOMAIN, "");   /* another name */
	look_up("mail.foo.test", NXDOMAIN, "");
	look_up("ww.test", NXDOMAIN, "");
	look_up("www.foo.test", NXDOMAIN, "");   /* the same once more */
	look_up("old.foo.test", NXDOMAIN, "");
	wait_ns(6 * SEC);
	look_up("old.test", NOERROR, "");        /* a while later */
	assert_int_equal(lookups()->lookups.search_misses, 0);
}

static void test_many_searches(void **state)
{
	char name[64];

	(void)state;
	for (int i = 0; i < 3000; i++) { /* more than are remembered */
		sprintf(name, "n%d.a.test", i);
		look_up(name, NXDOMAIN, "");
		sprintf(name, "n%d.test", i);
		look_up(name, NOERROR, "");
	}
	assert_int_equal(lookups()->lookups.search_misses, 3000);
	assert_int_equal(lookups()->call_count, 6000);
	assert_true(dropped(HS_MODEL_LOSS_ROUTE) > 0); /* names have a bound */
	assert_int_equal(calls(lookups(), "~other", "") + calls(lookups(), "~other", "nxdomain") +
			 HASH_COUNT(lookups()->calls) - 2, 6000);
}

/* Names without number leave room for routes: each has its own account. */
static void test_names_are_no_routes(void **state)
{
	char name[64];

	(void)state;
	for (int i = 0; i < 3000; i++) {
		sprintf(name, "n%d.test", i);
		look_up(name, NOERROR, "");
	}
	assert_int_equal(model->route_count, 0);
	assert_true(model->name_count <= test_config().max_routes / 2 + 1);
}

/* ---- names ---- */

static void connect_to(struct flow *flow, const char *address)
{
	*flow = flow_make();
	flow->client = CLIENT;
	flow->server = address;
	flow->client_cookie = now_ns;
	flow->client_port += now_ns / MS % 1000;
	now_ns += MS;
	client_open(flow);
}

static void test_name(void **state)
{
	struct flow flow;

	(void)state;
	look_up("api.example.com", NOERROR, "203.0.113.9 203.0.113.10");
	connect_to(&flow, "203.0.113.10");
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "api.example.com", flow.server_port));
	assert_int_equal(edge("curl", "api.example.com", flow.server_port)->key.server->kind, HS_WORKLOAD_DNS);
	connect_to(&flow, "203.0.113.11"); /* nobody asked for it */
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "203.0.113.11", flow.server_port));
}

/* A connection keeps the name that its server had when it began. */
static void test_name_later(void **state)
{
	struct flow before, flow;

	(void)state;
	connect_to(&before, "203.0.113.9");
	now_ns += MS;
	look_up("api.example.com", NOERROR, "203.0.113.9");
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "203.0.113.9", before.server_port));
	assert_null(edge("curl", "api.example.com", before.server_port));
	connect_to(&flow, "203.0.113.9");
	look_up("other.example.com", NOERROR, "203.0.113.9");
	client_close(&before);
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "api.example.com", flow.server_port));
	assert_null(edge("curl", "other.example.com", flow.server_port));
	assert_int_equal(edge("curl", "203.0.113.9", flow.server_port)->closes, 1);
	look_up("third.example.com", NOERROR, "203.0.113.9");
	look_up("fourth.example.com", NOERROR, "203.0.113.9");
	client_close(&flow);
	assert_string_equal(log_last(HS_LOG_CLOSE)->end[HS_SERVER].workload->identity.name, "api.example.com");
}

/* One address, two names: a process means its own, and who has not asked the latest of all. */
static void test_two_names(void **state)
{
	struct peer other = client_peer;
	struct question question = { "b.example.com", HS_DNS_TYPE_A, 9 };
	struct flow flow;

	(void)state;
	process(300, "wget");
	process(400, "java");
	look_up("a.example.com", NOERROR, "203.0.113.9");
	other.pid = 300;
	query_at(&other, &question);
	answer_at(&other, &question, NOERROR, "203.0.113.9");
	connect_to(&flow, "203.0.113.9");
	now_ns += MS;
	flow.client_pid = 400;
	flow.client_cookie = 5;
	flow.client_port = 7;
	client_open(&flow);
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "a.example.com", flow.server_port));
	assert_non_null(edge("java", "b.example.com", flow.server_port));
}

static void test_name_expires(void **state)
{
	struct flow flow;

	(void)state;
	look_up("api.example.com", NOERROR, "203.0.113.9"); /* for a minute, it says */
	wait_ns(500 * SEC);
	connect_to(&flow, "203.0.113.9");
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "api.example.com", flow.server_port));
	client_close(&flow);
	wait_ns(700 * SEC);
	connect_to(&flow, "203.0.113.9");
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "203.0.113.9", flow.server_port));
}

/* Not for what is on this node, for what is nobody's, or under names that could be a program's. */
static void test_no_name(void **state)
{
	struct flow flow;

	(void)state;
	listen_on("10.0.0.2", 80, 8, SERVER_PID, 5);
	look_up("api.example.com", NOERROR, "127.0.0.1 10.0.0.2 0.0.0.0 224.0.0.1 169.254.1.1");
	look_up("nginx", NOERROR, "203.0.113.9");
	look_up("we$ird.example.com", NOERROR, "203.0.113.10");
	connect_to(&flow, "10.0.0.2");
	connect_to(&flow, "127.0.0.1");
	connect_to(&flow, "169.254.1.1");
	connect_to(&flow, "203.0.113.9");
	connect_to(&flow, "203.0.113.10");
	wait_ns(2 * SEC);
	assert_null(edge("curl", "api.example.com", 80));
	assert_non_null(edge("curl", "nginx", 80));       /* by its listener, and nothing else is called so */
	assert_non_null(edge("curl", "203.0.113.9", 80));
	assert_non_null(edge("curl", "203.0.113.10", 80));
}

static void test_program_of_that_name(void **state)
{
	struct flow flow;

	(void)state;
	process(300, "web.example.com");
	look_up("web.example.com", NOERROR, "203.0.113.9");
	connect_to(&flow, "203.0.113.9");
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "203.0.113.9", flow.server_port));
}

static void test_names_off(void **state)
{
	struct hs_model_config config = test_config();
	struct flow flow;

	(void)state;
	config.dns_names = false;
	begin(&config);
	look_up("api.example.com", NOERROR, "203.0.113.9");
	connect_to(&flow, "203.0.113.9");
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "203.0.113.9", flow.server_port));
}

static void test_many_names(void **state)
{
	char address[32];
	struct flow flow;

	(void)state;
	for (int i = 0; i < 10000; i++) { /* more than are remembered */
		sprintf(address, "20.%d.%d.1", i / 250, i % 250);
		look_up("a.example.com", NOERROR, address);
	}
	connect_to(&flow, "20.0.0.1");
	connect_to(&flow, address);
	wait_ns(2 * SEC);
	assert_non_null(edge("curl", "20.0.0.1", flow.server_port));
	assert_non_null(edge("curl", "a.example.com", flow.server_port));
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lookup), TEST(test_rcodes), TEST(test_pair), TEST(test_timeout), TEST(test_other_answer),
		TEST(test_id_again), TEST(test_garbage), TEST(test_own), TEST(test_bound), TEST(test_both_ends),
		TEST(test_server_end), TEST(test_remote_clients), TEST(test_translated), TEST(test_listener),
		TEST(test_request), TEST(test_retry), TEST(test_retry_with_new_id), TEST(test_retried_in_vain),
		TEST(test_no_retry), TEST(test_other_server), TEST(test_search), TEST(test_search_found),
		TEST(test_search_unlike), TEST(test_search_behind), TEST(test_no_search), TEST(test_many_searches),
		TEST(test_names_are_no_routes), TEST(test_name), TEST(test_name_later), TEST(test_two_names),
		TEST(test_name_expires), TEST(test_no_name), TEST(test_program_of_that_name), TEST(test_names_off),
		TEST(test_many_names),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
