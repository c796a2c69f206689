/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An HTTP server that does all of its work by io_uring: accept, recv, send and close. uring PORT */
#include <liburing.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define CONNECTIONS 1024 /* by descriptor */

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

enum step {
	ACCEPT,
	RECEIVE,
	SEND,
	CLOSE,
};

static struct io_uring ring;
static char buffer[CONNECTIONS][4096];

static void submit(enum step step, int fd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe)
		exit(2);
	if (step == ACCEPT)
		io_uring_prep_accept(sqe, fd, NULL, NULL, 0);
	else if (step == RECEIVE)
		io_uring_prep_recv(sqe, fd, buffer[fd], sizeof(buffer[fd]), 0);
	else if (step == SEND)
		io_uring_prep_send(sqe, fd, answer, sizeof(answer) - 1, 0);
	else
		io_uring_prep_close(sqe, fd);
	io_uring_sqe_set_data64(sqe, (uint64_t)step << 32 | (uint32_t)fd); /* preparing clears it */
}

static void done(enum step step, int fd, int result)
{
	if (step == ACCEPT) {
		submit(ACCEPT, fd);
		if (result >= 0 && result < CONNECTIONS)
			submit(RECEIVE, result);
	} else if (step == RECEIVE) {
		submit(result > 0 ? SEND : CLOSE, fd);
	} else if (step == SEND) {
		submit(RECEIVE, fd);
	}
}

int main(int argc, char **argv)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(argc > 1 ? atoi(argv[1]) : 0),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct io_uring_cqe *cqe;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (void *)&address, sizeof(address)) || io_uring_queue_init(2 * CONNECTIONS, &ring, 0)) {
		perror("uring");
		return 1;
	}
	listen(listener, 128);
	submit(ACCEPT, listener);
	while (io_uring_submit_and_wait(&ring, 1) >= 0) {
		while (!io_uring_peek_cqe(&ring, &cqe)) {
			uint64_t data = cqe->user_data;
			int result = cqe->res;

			io_uring_cqe_seen(&ring, cqe);
			done(data >> 32, (int)data, result);
		}
	}
	return 1;
}
