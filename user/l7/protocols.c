// SPDX-License-Identifier: GPL-2.0-or-later
#include "l7/protocols.h"

const struct hs_protocol *const hs_protocols[] = {
	&hs_protocol_http1,
	&hs_protocol_postgresql,
	&hs_protocol_mysql,
	&hs_protocol_mariadb,
	&hs_protocol_http2,
	&hs_protocol_redis,
	&hs_protocol_tls,
	&hs_protocol_dns,
	NULL,
};
