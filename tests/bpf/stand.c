/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stand.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "probe/hooks.h"
#include "probe/probe.h"

#define PATIENCE (20 * SEC)
#define MAX_RECORDS 65536
#define MAX_FDS 1024

uint32_t netns;
const struct address v4 = { AF_INET, "127.0.0.1" };
const struct address v6 = { AF_INET6, "::1" };
const struct address v4_mapped = { AF_INET6, "::ffff:127.0.0.1" };

static struct hs_probe *probe;
static struct hs_event *records[MAX_RECORDS];
static size_t record_total;
static uint64_t begun_ns;

uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SEC + time.tv_nsec;
}

static void nap(void)
{
	const struct timespec pause = { .tv_nsec = 10 * MS };

	nanosleep(&pause, NULL);
}

void wait_until(bool (*holds)(const void *arg), const void *arg)
{
	uint64_t begin = now();

	while (!holds(arg)) {
		if (now() - begin > PATIENCE)
			fail_msg("waited in vain");
		nap();
	}
}

/* ---- namespace ---- */

static uint32_t inode_at(const char *path)
{
	struct stat file;

	return stat(path, &file) ? 0 : file.st_ino;
}

int own_network(void **state)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET)) {
		perror("a network namespace of our own");
		return -1;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo)) {
		perror("lo");
		return -1;
	}
	close(fd);
	netns = inode_at("/proc/self/ns/net");
	return netns ? 0 : -1;
}

void run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command))
		fail_msg("failed: %s", command);
}

bool can_run(const char *command)
{
	char quiet[512];

	snprintf(quiet, sizeof(quiet), "(%s) >/dev/null 2>&1", command);
	return !system(quiet);
}

/* ---- records ---- */

/* What must hold of every record, whatever it tells: nothing of it is garbage. */
static void check_head(const struct hs_event *event)
{
	static const size_t sizes[HS_EV_MAX] = {
		[HS_EV_CONNECTION] = sizeof(struct hs_ev_connection),
		[HS_EV_ACCEPT] = sizeof(struct hs_ev_socket),
		[HS_EV_LISTENER] = sizeof(struct hs_ev_listener),
		[HS_EV_RETRANSMIT] = sizeof(struct hs_ev_retransmit),
		[HS_EV_RESET] = sizeof(struct hs_ev_reset),
		[HS_EV_SOCKET_ERROR] = sizeof(struct hs_ev_error),
		[HS_EV_CONNECT_ERROR] = sizeof(struct hs_ev_error),
		[HS_EV_DROP] = sizeof(struct hs_ev_drop),
	};
	const struct hs_ev_socket *socket = (const void *)event;

	assert_in_range(event->time_ns, begun_ns, now());
	assert_true(event->cpu < (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
	if (event->kind == HS_EV_CONNECTION && socket->phase == HS_PHASE_OPEN)
		assert_int_equal(event->size, HS_EV_CONNECTION_OPEN_SIZE);
	else if (event->kind == HS_EV_CONNECTION && event->size == HS_EV_CONNECTION_BRIEF_SIZE)
		assert_int_equal(socket->phase, HS_PHASE_CLOSE);
	else if (sizes[event->kind])
		assert_int_equal(event->size, sizes[event->kind]);
}

static bool is_address(const uint8_t address[16])
{
	static const uint8_t zeroes[16], mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(address, mapped, 12) || !memcmp(address, zeroes, 16) ||
	       IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)address) || address[0] == 0xfd ||
	       address[0] == 0x20;
}

static void check_socket(const struct hs_ev_socket *socket)
{
	assert_int_equal(socket->pad, 0);
	assert_in_range(socket->role, HS_ROLE_UNKNOWN, HS_ROLE_SERVER);
	assert_in_range(socket->state, 0, 12);
	assert_in_range(socket->old_state, 0, 12);
	assert_in_range(socket->phase, 0, HS_PHASE_SAMPLE);
	assert_true(is_address(socket->tuple.local));
	assert_true(is_address(socket->tuple.remote));
	assert_true(!socket->pid == !socket->tid);
}

static void check_tcp(const struct hs_ev_connection *connection)
{
	const struct hs_tcp *tcp = &connection->tcp;
	uint32_t seen = 0;

	if (connection->socket.event.size < sizeof(*connection))
		return;
	assert_int_equal(tcp->fin & ~7, 0);
	assert_true(tcp->bytes_acked < 1ull << 40 && tcp->bytes_received < 1ull << 40);
	assert_in_range(tcp->ca_state, 0, 4);
	for (int kind = 0; kind < HS_RETRANSMIT_MAX; kind++)
		seen += tcp->retrans[kind];
	assert_true(seen <= tcp->total_retrans + 64);
}

/* The three texts fill the record up to its last seven bytes, and those are zero. */
static void check_process(const struct hs_ev_process *process)
{
	size_t texts = process->exe_len + process->args_len + process->cgroup_len;
	size_t room = process->event.size - sizeof(*process);

	assert_int_equal(process->pad, 0);
	assert_true(texts <= room && room - texts < 8);
	for (size_t i = texts; i < room; i++)
		assert_int_equal(process->text[i], 0);
	assert_non_null(memchr(process->comm, 0, sizeof(process->comm)));
	for (size_t i = strlen(process->comm); i < sizeof(process->comm); i++)
		assert_int_equal(process->comm[i], 0);
	assert_non_null(memchr(process->hostname, 0, sizeof(process->hostname)));
}

static void check_drop(const struct hs_ev_drop *drop)
{
	size_t length = strnlen(drop->reason, HS_DROP_REASON_LEN);

	assert_in_range(length, 1, HS_DROP_REASON_LEN - 1);
	assert_int_equal(strspn(drop->reason, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), length);
	for (size_t i = length; i < HS_DROP_REASON_LEN; i++)
		assert_int_equal(drop->reason[i], 0);
	for (size_t i = 0; i < sizeof(drop->pad); i++)
		assert_int_equal(drop->pad[i], 0);
	assert_true(is_address(drop->tuple.local));
	assert_true(is_address(drop->tuple.remote));
	if (strncmp(drop->reason, "ICMP_", 5))
		assert_true(drop->location >> 63); /* the kernel's half */
	else
		assert_int_equal(drop->location, 0);
	assert_true(drop->direction == HS_DIRECTION_EGRESS || drop->direction == HS_DIRECTION_INGRESS);
	assert_int_equal(drop->flags & ~0x1f, 0);
	assert_true(drop->length < 1 << 20);
}

static void check_data(const struct hs_ev_data *data)
{
	assert_int_equal(data->event.size, sizeof(*data) + (data->captured + 7) / 8 * 8);
	assert_true(data->captured <= data->length && data->captured <= HS_EV_DATA_BYTES);
	assert_true(!data->before_bytes == !data->before_ns);
	assert_in_range(data->ahead, 0, 1);
	for (size_t i = data->captured; i < data->event.size - sizeof(*data); i++)
		assert_int_equal(data->bytes[i], 0);
}

static void check_call(const struct hs_ev_call *call)
{
	static const uint8_t pad[sizeof(call->pad)];

	assert_int_equal(call->event.size, sizeof(*call) + call->run_count * sizeof(call->runs[0]));
	assert_true(call->run_count <= HS_RUNS && (!call->run_count || call->what == HS_FOLLOWED_HANDED));
	for (unsigned i = 0; i < call->run_count; i++)
		assert_true(call->runs[i].route && call->runs[i].calls && !call->runs[i].place && !call->runs[i].pad);
	assert_memory_equal(call->pad, pad, sizeof(pad));
	assert_in_range(call->what, HS_FOLLOWED_OVER, HS_FOLLOWED_ENDED);
	if (!call->route) {
		assert_int_equal(call->request_ns, 0);
		assert_int_equal(call->status, 0);
	}
	if (call->what == HS_FOLLOWED_OVER)
		assert_true(call->status && call->response_ns >= call->request_ns &&
			    call->response_end_ns >= call->response_ns);
	if (call->read_ns)
		assert_true(call->read_ns >= call->request_ns);
}

static void check_datagram(const struct hs_ev_datagram *datagram)
{
	assert_int_equal(datagram->event.size, sizeof(*datagram) + (datagram->captured + 7) / 8 * 8);
	assert_true(datagram->captured <= datagram->length && datagram->captured <= HS_EV_DATAGRAM_BYTES);
	assert_true(is_address(datagram->tuple.local) && is_address(datagram->tuple.remote));
	assert_true(datagram->tuple.local_port == HS_DNS_PORT || datagram->tuple.remote_port == HS_DNS_PORT);
	assert_true(datagram->cookie);
	assert_int_equal(datagram->direction == HS_DIRECTION_EGRESS, datagram->pid && datagram->tid);
	assert_int_equal(datagram->pad, 0);
	for (size_t i = datagram->captured; i < datagram->event.size - sizeof(*datagram); i++)
		assert_int_equal(datagram->bytes[i], 0);
}

static void check_record(const struct hs_event *event)
{
	check_head(event);
	if (event->kind == HS_EV_PROCESS)
		check_process((const void *)event);
	else if (event->kind == HS_EV_DROP)
		check_drop((const void *)event);
	else if (event->kind == HS_EV_DATA)
		check_data((const void *)event);
	else if (event->kind == HS_EV_CALL)
		check_call((const void *)event);
	else if (event->kind == HS_EV_DATAGRAM)
		check_datagram((const void *)event);
	else if (event->kind != HS_EV_PASS && event->kind != HS_EV_LOSS)
		check_socket((const void *)event);
	if (event->kind == HS_EV_CONNECTION)
		check_tcp((const void *)event);
	if (event->kind == HS_EV_SOCKET_ERROR || event->kind == HS_EV_CONNECT_ERROR)
		assert_int_equal(((const struct hs_ev_error *)event)->pad, 0);
}

/* Its connection has been told before, and that is all that says where it is. */
static bool is_known(uint64_t cookie)
{
	for (size_t i = 0; i < record_total; i++)
		if (records[i]->kind == HS_EV_CONNECTION && has_cookie(records[i], &cookie))
			return true;
	return false;
}

static bool is_ours(const struct hs_event *event)
{
	if (event->kind == HS_EV_DATA)
		return is_known(((const struct hs_ev_data *)event)->cookie);
	if (event->kind == HS_EV_CALL)
		return is_known(((const struct hs_ev_call *)event)->cookie);
	if (event->kind == HS_EV_PROCESS || event->kind == HS_EV_PASS)
		return true;
	if (event->kind == HS_EV_DROP)
		return ((const struct hs_ev_drop *)event)->tuple.netns == netns;
	return ((const struct hs_ev_socket *)event)->tuple.netns == netns; /* a datagram has its tuple there, too */
}

static void on_record(void *arg, const struct hs_event *event)
{
	(void)arg;
	if (!is_ours(event))
		return;
	assert_true(record_total < MAX_RECORDS);
	/* What a record leaves out is nil. */
	records[record_total] = calloc(1, event->size + sizeof(struct hs_ev_connection));
	memcpy(records[record_total++], event, event->size);
}

static void drain(void)
{
	size_t before = record_total;

	assert_true(hs_probe_drain(probe, on_record, NULL) >= 0);
	for (; before < record_total; before++)
		check_record(records[before]);
}

const void *find_record(enum hs_event_kind kind, match_fn matches, const void *arg)
{
	drain();
	for (size_t i = 0; i < record_total; i++)
		if (records[i]->kind == kind && (!matches || matches(records[i], arg)))
			return records[i];
	return NULL;
}

const void *await_record(enum hs_event_kind kind, match_fn matches, const void *arg)
{
	uint64_t begin = now();
	const void *record;

	while (!(record = find_record(kind, matches, arg))) {
		if (now() - begin > PATIENCE)
			fail_msg("no such record of kind %d among %zu", kind, record_total);
		nap();
	}
	return record;
}

size_t record_count(enum hs_event_kind kind)
{
	size_t count = 0;

	drain();
	for (size_t i = 0; i < record_total; i++)
		count += records[i]->kind == kind;
	return count;
}

bool has_cookie(const void *record, const void *cookie)
{
	return ((const struct hs_ev_socket *)record)->cookie == *(const uint64_t *)cookie;
}

static bool is_phase(const void *record, const void *cookie, enum hs_phase phase)
{
	return has_cookie(record, cookie) && ((const struct hs_ev_socket *)record)->phase == phase;
}

bool is_open(const void *record, const void *cookie)
{
	return is_phase(record, cookie, HS_PHASE_OPEN);
}

bool is_close(const void *record, const void *cookie)
{
	return is_phase(record, cookie, HS_PHASE_CLOSE);
}

bool is_sample(const void *record, const void *cookie)
{
	return is_phase(record, cookie, HS_PHASE_SAMPLE);
}

void pass(void)
{
	size_t before = record_total;

	assert_int_equal(hs_probe_snapshot(probe, on_record, NULL), 0);
	for (; before < record_total; before++)
		check_record(records[before]);
}

/* ---- the probe ---- */

static void forget_records(void)
{
	while (record_total)
		free(records[--record_total]);
}

int unwatch(void **state)
{
	(void)state;
	hs_probe_close(probe);
	probe = NULL;
	forget_records();
	return 0;
}

/* Is "hook" or "hook:rung" in the list? */
static bool is_wanted(const char *list, const char *hook, const char *rung)
{
	size_t length;

	for (; *list; list += length + (list[length] == ',')) {
		size_t name = strlen(hook);

		length = strcspn(list, ",");
		if (strncmp(list, hook, name))
			continue;
		if (length == name || (list[name] == ':' && length == name + 1 + strlen(rung) &&
				       !strncmp(list + name + 1, rung, strlen(rung))))
			return true;
	}
	return false;
}

static void disable_rest(const char *hooks, char *disabled, size_t size)
{
	size_t used = 0;

	*disabled = '\0';
	for (size_t i = 0; i < HS_HOOK_COUNT; i++)
		for (size_t j = 0; j < HS_HOOK_RUNGS && hs_hook_defs[i].ladder[j].name; j++)
			if (!is_wanted(hooks, hs_hook_defs[i].name, hs_hook_defs[i].ladder[j].name))
				used += snprintf(disabled + used, size - used, "%s%s:%s", used ? "," : "",
						 hs_hook_defs[i].name, hs_hook_defs[i].ladder[j].name);
	assert_true(used < size);
}

/* The kernel's words for the wanted rung that it refused; NULL when all are attached. */
static const char *refusal(const char *hooks)
{
	size_t count;
	const struct hs_hook_status *hook = hs_probe_hooks(probe, &count);

	for (size_t i = 0; i < count; i++) {
		bool wanted = false;

		for (int j = 0; j < hook[i].rungs; j++) {
			wanted |= is_wanted(hooks, hook[i].hook, hook[i].ladder[j].name);
			if (!wanted || hook[i].attached || hook[i].ladder[j].error == -ECANCELED)
				continue;
			if (hook[i].ladder[j].error == -EACCES) /* the verifier: no lack of the kernel's, but a fault of ours */
				fail_msg("%s: %s", hooks, hook[i].ladder[j].refusal);
			return hook[i].ladder[j].refusal;
		}
		assert_int_equal(hook[i].attached, wanted);
	}
	return NULL;
}

static void watch_with(const char *hooks, struct hs_probe_config config)
{
	char disabled[1024], message[512] = "";
	const char *words;
	int error;

	unwatch(NULL);
	begun_ns = now();
	disable_rest(hooks, disabled, sizeof(disabled));
	config.disabled = disabled;
	error = hs_probe_open(&config, &probe, message, sizeof(message));
	words = error ? message : refusal(hooks);
	if (!words)
		return;
	print_message("skip: %s: %s\n", hooks, words);
	skip();
}

void watch_with_ring(const char *hooks, size_t ring_bytes)
{
	watch_with(hooks, (struct hs_probe_config){ .ring_bytes = ring_bytes });
}

void watch_with_table(const char *hooks, uint32_t sockets)
{
	watch_with(hooks, (struct hs_probe_config){ .ring_bytes = 4 << 20, .sockets = sockets });
}

void watch_with_budget(const char *hooks, uint32_t drops)
{
	watch_with(hooks, (struct hs_probe_config){ .ring_bytes = 1 << 20, .drop_budget = drops });
}

uint64_t lost(enum hs_loss stage)
{
	struct hs_ev_loss loss;

	hs_probe_losses(probe, &loss);
	return loss.count[stage];
}

void watch(const char *hooks)
{
	watch_with_ring(hooks, 1 << 20);
}

void want(uint64_t cookie, enum hs_watch wanted)
{
	hs_probe_watch(probe, cookie, &(struct hs_wanted){ .watch = wanted });
}

void want_counted(uint64_t cookie, uint32_t group)
{
	hs_probe_watch(probe, cookie, &(struct hs_wanted){ .watch = HS_WATCH_COUNT, .group = group });
}

void want_pipeline(uint64_t cookie, uint32_t group, uint32_t position, bool confirmed)
{
	hs_probe_watch(probe, cookie, &(struct hs_wanted){
		.watch = HS_WATCH_PIPELINE, .group = group, .position = position, .confirmed = confirmed });
}

struct hs_counts *counters(void)
{
	return hs_probe_counts(probe);
}

void follow_calls(void)
{
	hs_probe_follow_calls(probe, true);
}

void follow(void)
{
	hs_probe_live(probe, true);
}

/* The probe does not show its maps: the one of this name among our descriptors is it. */
static int table_of_sockets(void)
{
	for (int fd = 0; fd < MAX_FDS; fd++) {
		struct bpf_map_info info = {};
		uint32_t size = sizeof(info);

		if (!bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, "hs_socks"))
			return fd;
	}
	fail_msg("no table of sockets");
	return -1;
}

size_t known_sockets(void)
{
	int fd = table_of_sockets();
	uint64_t key, next;
	size_t count = 0;

	for (void *from = NULL; !bpf_map_get_next_key(fd, from, &next); from = &key) {
		key = next;
		count++;
	}
	return count;
}

void settle(void)
{
	uint16_t port;
	int listener = listen_on(&v4, &port, 1), fd = connect_to(&v4, port);
	uint64_t cookie = cookie_of(fd);

	close(fd);
	close(listener);
	await_record(HS_EV_CONNECTION, is_close, &cookie);
}

/* ---- sockets ---- */

static socklen_t fill(struct sockaddr_storage *storage, const struct address *address, uint16_t port)
{
	struct sockaddr_in6 *in6 = (void *)storage;
	struct sockaddr_in *in = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	if (address->family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, address->text, &in->sin_addr), 1);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, address->text, &in6->sin6_addr), 1);
	return sizeof(*in6);
}

int make_socket(const struct address *address)
{
	int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

uint16_t local_port(int fd)
{
	struct sockaddr_storage storage;
	socklen_t length = sizeof(storage);

	assert_int_equal(getsockname(fd, (void *)&storage, &length), 0);
	return ntohs(((struct sockaddr_in *)&storage)->sin_port); /* at the same place in IPv6 */
}

int listen_on(const struct address *address, uint16_t *port, int backlog)
{
	struct sockaddr_storage storage;
	socklen_t length = fill(&storage, address, 0);
	int fd = make_socket(address);

	assert_int_equal(bind(fd, (void *)&storage, length), 0);
	assert_int_equal(listen(fd, backlog), 0);
	*port = local_port(fd);
	return fd;
}

int try_connect(int fd, const struct address *address, uint16_t port)
{
	struct sockaddr_storage storage;
	socklen_t length = fill(&storage, address, port);

	return connect(fd, (void *)&storage, length) ? errno : 0;
}

int connect_to(const struct address *address, uint16_t port)
{
	int fd = make_socket(address);

	assert_int_equal(try_connect(fd, address, port), 0);
	return fd;
}

int accept_from(int listener)
{
	struct sockaddr_storage peer; /* most servers ask for it */
	socklen_t length = sizeof(peer);
	struct pollfd ready = { .fd = listener, .events = POLLIN };
	int fd;

	assert_int_equal(poll(&ready, 1, 20000), 1);
	fd = accept4(listener, (void *)&peer, &length, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

uint64_t cookie_of(int fd)
{
	socklen_t length = sizeof(uint64_t);
	uint64_t cookie;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length), 0);
	return cookie;
}

uint64_t inode_of(int fd)
{
	struct stat file;

	assert_int_equal(fstat(fd, &file), 0);
	return file.st_ino;
}

void send_all(int fd, const void *data, size_t size)
{
	for (const char *from = data; size;) {
		ssize_t sent = send(fd, from, size, MSG_NOSIGNAL);

		assert_true(sent > 0);
		from += sent;
		size -= sent;
	}
}

void receive_all(int fd, size_t size)
{
	static char buffer[65536];

	while (size) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t got;

		assert_int_equal(poll(&ready, 1, 20000), 1);
		got = recv(fd, buffer, size < sizeof(buffer) ? size : sizeof(buffer), 0);
		assert_true(got > 0);
		size -= got;
	}
}

uint64_t snmp(const char *protocol, const char *counter)
{
	char names[4096], values[4096], *name, *value, *rest_names = names, *rest_values = values;
	FILE *file = fopen("/proc/thread-self/net/snmp", "re");
	bool found = false;

	assert_non_null(file);
	while (!found && fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file))
		found = !strncmp(names, protocol, strlen(protocol)) && names[strlen(protocol)] == ':';
	fclose(file);
	assert_true(found);
	while ((name = strsep(&rest_names, " \n")) && (value = strsep(&rest_values, " \n")))
		if (!strcmp(name, counter))
			return strtoull(value, NULL, 10);
	fail_msg("no counter %s", counter);
	return 0;
}

static void check_address(const uint8_t have[16], const char *want)
{
	char text[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)have))
		inet_ntop(AF_INET, have + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, have, text, sizeof(text));
	assert_string_equal(text, want);
}

void check_tuple(const struct hs_tuple *tuple, const char *local, uint16_t from, const char *remote, uint16_t to)
{
	check_address(tuple->local, local);
	check_address(tuple->remote, remote);
	assert_int_equal(tuple->local_port, from);
	assert_int_equal(tuple->remote_port, to);
	assert_int_equal(tuple->netns, netns);
}

int kernel_enum(const char *type, const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, type, BTF_KIND_ENUM) : -1, value = -1;
	const struct btf_type *found = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; found && i < btf_vlen(found); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_enum(found)[i].name_off), name))
			value = btf_enum(found)[i].val;
	btf__free(btf);
	return value;
}
