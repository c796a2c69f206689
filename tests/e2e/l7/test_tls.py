# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS handshakes: how many, how long, and why those that fail do, as far as that can be seen without keys."""
import contextlib
import ssl
import subprocess
import time

import pytest

from kit.wait import becomes, fewer

HANDSHAKES = "hopscope_tls_handshake_duration_seconds"
FAILURES = "hopscope_tls_handshake_failures_total"
LOSSES = ("hopscope_l7_undecoded_bytes_total", "hopscope_l7_undecoded_messages_total", "hopscope_l7_lost_calls_total",
          "hopscope_l7_lost_segments_total")

pytestmark = pytest.mark.needs("openssl", "nginx", "curl")


@pytest.fixture
def certificate(lab):
    """Of good.test, signed by itself: (certificate, key)."""
    files = lab.folder / "cert.pem", lab.folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                    "-subj", "/CN=good.test", "-addext", "subjectAltName=DNS:good.test,IP:127.0.0.1",
                    "-keyout", files[1], "-out", files[0]], check=True, capture_output=True)
    return files


def start_nginx(lab, certificate, options=""):
    """Answers each request; for names that it does not know, it rejects the handshake."""
    port = lab.port()
    config = lab.folder / "nginx.conf"
    config.write_text(f"""
        daemon off; user root; worker_processes 2; pid {lab.folder}/nginx.pid; error_log {lab.folder}/error.log;
        events {{}}
        http {{
            access_log off; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}; {options}
            server {{ listen {port} ssl http2 default_server; ssl_reject_handshake on; }}
            server {{ listen {port} ssl http2; server_name good.test; return 200 "hello"; }}
        }}""")
    lab.start("nginx", "-c", config).listening(port)
    return port


def start_openssl(lab, certificate, *options):
    port = lab.port()
    lab.start("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate[0], "-key", certificate[1],
              "-quiet", "-rev", *options).listening(port)
    return port


def curl(lab, port, *options, name="good.test"):
    return lab.start("curl", "-sS", "--noproxy", "*", "--resolve", f"{name}:{port}:127.0.0.1", f"https://{name}:{port}/", *options)


def handshakes(agent, port):
    """How many, by version; and those that failed, by version and error."""
    metrics = agent.metrics()
    succeeded = metrics.by("tls_protocol_version", f"{HANDSHAKES}_count", server_port=port)
    failed = {(sample.labels.get("tls_protocol_version", ""), sample.labels["error_type"]): int(sample.value)
              for sample in metrics.all(FAILURES, server_port=port)}
    return {version: int(count) for version, count in succeeded.items() if count}, failed


def nothing_lost(agent):
    metrics = agent.metrics()
    assert [metrics.value(name, protocol="tls") for name in LOSSES] == [0, 0, 0, 0]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_versions(lab, agent, certificate, version):
    port, count = start_nginx(lab, certificate, "ssl_session_tickets off;"), fewer(20, 5)
    for _ in range(count):
        curl(lab, port, "--cacert", certificate[0], f"--tlsv{version}", "--tls-max", version).succeed()
    becomes(lambda: handshakes(agent, port), ({version: count}, {}))
    seconds = agent.metrics().value(f"{HANDSHAKES}_sum", server_port=port)
    assert 0 < seconds < count
    nothing_lost(agent)


def test_delay(lab, agent, certificate):
    """A handshake lasts as long as the client takes over its part: measured at the server's end."""
    port = start_openssl(lab, certificate)
    context = ssl.create_default_context(cafile=certificate[0])
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(into, out, server_hostname="good.test")
    client = lab.connect("127.0.0.1", port, timeout=10)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    client.sendall(out.read())
    while not out.pending:
        into.write(client.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
    begun = time.monotonic()
    agent.settle()
    waited = time.monotonic() - begun
    client.sendall(out.read())
    becomes(lambda: handshakes(agent, port), ({"1.3": 1}, {}))
    assert agent.metrics().value(f"{HANDSHAKES}_sum", server_port=port) >= waited
    nothing_lost(agent)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_resumed(lab, agent, certificate, version):
    port, count = start_nginx(lab, certificate), 5
    context = ssl.create_default_context(cafile=certificate[0])
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, f"TLSv{version.replace('.', '_')}")
    session, resumed = None, 0
    for _ in range(count):
        with context.wrap_socket(lab.connect("127.0.0.1", port, timeout=10), server_hostname="good.test", session=session) as tls:
            tls.sendall(b"GET / HTTP/1.0\r\nHost: good.test\r\n\r\n")
            while tls.recv(4096):
                pass
            session, resumed = tls.session, resumed + tls.session_reused
    assert resumed == count - 1
    becomes(lambda: handshakes(agent, port), ({version: count}, {}))
    nothing_lost(agent)


def test_unknown_authority(lab, agent, certificate):
    """The client does not know who signed that."""
    ports = {version: start_openssl(lab, certificate, f"-tls{version.replace('.', '_')}") for version in ("1.2", "1.3")}
    for version, port in ports.items():
        assert curl(lab, port).wait() == 60
        becomes(lambda: handshakes(agent, port), ({}, {(version, "unknown_ca"): 1}))
    nothing_lost(agent)


def test_failures(lab, agent, certificate):
    """What client and server cannot agree on."""
    nginx = start_nginx(lab, certificate)
    assert curl(lab, nginx, "-k", name="wrong.test").wait() == 35
    becomes(lambda: handshakes(agent, nginx), ({}, {("", "unrecognized_name"): 1}))

    only_13 = start_openssl(lab, certificate, "-tls1_3")
    assert curl(lab, only_13, "-k", "--tls-max", "1.2").wait() == 35
    becomes(lambda: handshakes(agent, only_13), ({}, {("", "protocol_version"): 1}))

    only_chacha = start_openssl(lab, certificate, "-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305")
    assert curl(lab, only_chacha, "-k", "--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256").wait() == 35
    becomes(lambda: handshakes(agent, only_chacha), ({}, {("", "handshake_failure"): 1}))

    asks = start_openssl(lab, certificate, "-tls1_2", "-Verify", "1")
    assert curl(lab, asks, "-k").wait() in (35, 56)
    becomes(lambda: handshakes(agent, asks), ({}, {("1.2", "handshake_failure"): 1}))
    nothing_lost(agent)


def test_given_up(lab, agent, certificate):
    """A client that goes away amid the handshake, and one whose server never says a word."""
    port = start_openssl(lab, certificate)
    context = ssl.create_default_context(cafile=certificate[0])
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(into, out, server_hostname="good.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = out.read()
    client = lab.connect("127.0.0.1", port, timeout=10)
    client.sendall(hello)
    assert client.recv(100)
    client.close()
    becomes(lambda: handshakes(agent, port), ({}, {("1.3", "unanswered"): 1}))

    silent = lab.port()
    listener = lab.listen(silent)
    client = lab.connect("127.0.0.1", silent)
    client.sendall(hello)
    client.close()
    listener.close()  # until then the server might still read it
    becomes(lambda: handshakes(agent, silent), ({}, {("", "unanswered"): 1}))
    nothing_lost(agent)


def test_retry(lab, agent, certificate):
    """A server that asks for another hello."""
    port = start_openssl(lab, certificate, "-tls1_3", "-groups", "P-384")
    client = lab.start("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-groups", "X25519:P-384",
                       "-CAfile", certificate[0], "-verify_return_error", "-servername", "good.test", "-brief")
    client.says("CONNECTION ESTABLISHED")
    becomes(lambda: handshakes(agent, port), ({"1.3": 1}, {}))
    nothing_lost(agent)


def test_long_chain(lab, agent, certificate):
    """A server's flight of which only the head is seen."""
    chain = lab.folder / "chain.pem"
    chain.write_text(certificate[0].read_text() * 20)
    port = start_openssl(lab, certificate, "-tls1_2", "-cert_chain", chain)
    curl(lab, port, "--cacert", certificate[0], "--max-time", "10", "-o", "/dev/null").wait()
    becomes(lambda: handshakes(agent, port), ({"1.2": 1}, {}))
    nothing_lost(agent)


def test_encrypted_is_left_alone(lab, agent, certificate):
    """Behind a handshake nothing is read any more: neither bytes that are not understood, nor calls."""
    port = start_nginx(lab, certificate)
    curl(lab, port, "--cacert", certificate[0], "--http1.1", "-o", "/dev/null", *[f"https://good.test:{port}/"] * 50).succeed()
    becomes(lambda: handshakes(agent, port), ({"1.3": 1}, {}))
    nothing_lost(agent)
    assert not agent.metrics().all("http_server_request_duration_seconds_count", server_port=port)
