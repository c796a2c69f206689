# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls as the agent counts them: series by their labels, and what the commands show of them."""
import json

from kit.wait import becomes

HTTP_SERVER = "http_server_request_duration_seconds"
HTTP_CLIENT = "http_client_request_duration_seconds"
RPC_SERVER = "rpc_server_call_duration_seconds"
RPC_CLIENT = "rpc_client_call_duration_seconds"
DB = "db_client_operation_duration_seconds"
DNS = "dns_lookup_duration_seconds"
TLS = "hopscope_tls_handshake_duration_seconds"
TLS_FAILED = "hopscope_tls_handshake_failures_total"

LOSSES = "undecoded_bytes", "undecoded_messages", "lost_calls", "lost_segments"


def counted(agent, port, metric, *labels, **wanted):
    """
    Calls to that port by the values of these labels: {("GET", "/", "200"): 3}, {"GET": 3} by one alone.
    What a series has no label for is "".
    """
    counts = {}
    for sample in agent.metrics().all(f"{metric}_count", server_port=port, **wanted):
        key = tuple(sample.labels.get(label, "") for label in labels)
        key = key[0] if len(labels) == 1 else key
        counts[key] = counts.get(key, 0) + int(sample.value)
    return counts


def count_to(agent, port, metric, labels, wanted, **more):
    """The counts come to be these, and stay so when all has been accounted."""
    becomes(lambda: counted(agent, port, metric, *labels, **more), wanted)
    agent.settle()
    assert counted(agent, port, metric, *labels, **more) == wanted, "more was counted later"


def http_count_to(agent, port, wanted, metric=HTTP_SERVER, **more):
    """{(method, route, status): count}; status "" where there was no answer."""
    count_to(agent, port, metric, ("http_request_method", "http_route", "http_response_status_code"), wanted, **more)


def sum_of(agent, port, metric, **labels):
    """Of the observations of a histogram: seconds, or bytes."""
    return agent.metrics().value(f"{metric}_sum", server_port=port, **labels)


def service_graph(agent, client, server):
    """(calls, failed calls, connection types) between two names."""
    metrics, labels = agent.metrics(), {"client": client, "server": server}
    types = {sample.labels["connection_type"] for sample in metrics.all("traces_service_graph_request_total", **labels)}
    return (int(metrics.value("traces_service_graph_request_total", **labels)),
            int(metrics.value("traces_service_graph_request_failed_total", **labels)), types)


def lost(agent, protocol):
    """What of that protocol could not be read on the whole node, whoever spoke it; {} is what one hopes for."""
    metrics = agent.metrics()
    found = {loss: int(metrics.value(f"hopscope_l7_{loss}_total", protocol=protocol)) for loss in LOSSES}
    return {loss: count for loss, count in found.items() if count}


def requests(agent, port, **matches):
    """Recent calls to that port, oldest first."""
    items = json.loads(agent.request("/api/v1/requests").text)["items"]
    return [item for item in items if item["server"].get("port") == port and matches.items() <= item.items()]


def routes(agent, port):
    """The items of /api/v1/routes by (operation, route)."""
    items = [item for item in agent.document("routes")["items"] if item["server"]["port"] == port]
    return {(item.get("operation", ""), item.get("route", "")): item for item in items}
