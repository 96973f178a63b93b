"""The HTTP client: which addresses it calls, timeouts, limits, and its errors."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import HttpClient, Response, read_json, retry_after
from memberhook.core.url_check import is_public, redirect_message, target_of
from tests.loopback import Answer, Loopback, Reply, Request, json_reply

MakeClient = Callable[..., HttpClient]


@pytest.fixture
def client() -> Iterator[MakeClient]:
    """Makes clients that may call this machine, and closes them."""
    made: list[HttpClient] = []

    def make(allow_private: bool = True, **options: object) -> HttpClient:
        made.append(HttpClient(allow_private, **options))  # type: ignore[arg-type]  # options of each test
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Loopback]]:
    running: list[Loopback] = []

    def start(answer: Answer | Reply, tls: ssl.SSLContext | None = None) -> Loopback:
        server = Loopback(answer if callable(answer) else lambda _: answer, tls)
        running.append(server)
        return server.__enter__()

    yield start
    for server in running:
        server.__exit__(None, None, None)


Serve = Callable[..., Loopback]


class TestRequest:
    def test_a_get_with_parameters(self, client: MakeClient, serve: Serve) -> None:
        server = serve(json_reply({"a": 1}, 201, X_Extra="yes"))
        answer = client(user_agent="Test/1").request(
            "GET", server.url + "/a b?x=1", headers={"X-Key": "k"}, params=[("with[]", "é &+"), ("with[]", "2")]
        )
        assert (answer.status, answer.body, answer.content_type) == (201, b'{"a": 1}', "application/json")
        assert answer.headers["x-extra"] == "yes"
        (request,) = server.requests
        assert request.target == "/a%20b?x=1&with%5B%5D=%C3%A9%20%26%2B&with%5B%5D=2"
        assert (request.headers["X-Key"], request.headers["User-Agent"]) == ("k", "Test/1")
        assert request.headers["Host"] == f"127.0.0.1:{server.port}"

    def test_json_is_sent_as_json(self, client: MakeClient, serve: Serve) -> None:
        server = serve(Reply())
        client().request("PUT", server.url, json={"name": "Zoë 🐘"})
        (request,) = server.requests
        assert request.json == {"name": "Zoë 🐘"}
        assert request.headers["Content-Type"] == "application/json"

    def test_errors_are_answers_too(self, client: MakeClient, serve: Serve) -> None:
        assert client().request("GET", serve(Reply(500, b"broken")).url).status == 500

    def test_gzip_is_unpacked(self, client: MakeClient, serve: Serve) -> None:
        server = serve(Reply(body=gzip.compress(b"x" * 100_000), headers={"Content-Encoding": "gzip"}))
        assert client().request("GET", server.url).body == b"x" * 100_000

    def test_a_connection_is_kept(self, client: MakeClient, serve: Serve) -> None:
        server, http = serve(Reply(body=b"{}")), client()
        for _ in range(3):
            http.request("GET", server.url)
        assert len({request.connection for request in server.requests}) == 1

    def test_a_kept_connection_that_was_dropped_costs_nothing(self, client: MakeClient, serve: Serve) -> None:
        server, http = serve(Reply(body=b"{}", then_close=True)), client()
        assert [http.request("GET", server.url).status for _ in range(3)] == [200] * 3

    def test_many_threads_share_one_client(self, client: MakeClient, serve: Serve) -> None:
        server, http = serve(lambda request: json_reply(request.params)), client()
        with ThreadPoolExecutor(8) as pool:
            bodies = pool.map(
                lambda n: json.loads(http.request("GET", server.url, params=[("n", str(n))]).body), range(200)
            )
            assert [body["n"] for body in bodies] == [str(n) for n in range(200)]

    def test_it_can_be_used_after_close(self, client: MakeClient, serve: Serve) -> None:
        server, http = serve(Reply()), client()
        http.request("GET", server.url)
        http.close()
        assert http.request("GET", server.url).status == 200


class TestWhichAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
            *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
            *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1"),
            *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
            "2001:0:7f00:1::1",
        ],
    )
    def test_not_public(self, address: str) -> None:
        assert not is_public(address)

    @pytest.mark.parametrize(
        "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
    )
    def test_public(self, address: str) -> None:
        assert is_public(address)

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "rebound.example"])
    def test_a_private_address_is_refused(self, client: MakeClient, serve: Serve, host: str) -> None:
        server = serve(Reply())
        with pytest.raises(PermanentError, match=r"private address \(127\.0\.0\.1\)") as caught:
            client(False, resolve=lambda *_: ["127.0.0.1"]).request("GET", f"http://{host}:{server.port}/")
        assert caught.value.code == "private_address"
        assert not server.requests

    def test_the_systems_resolver_reads_odd_spellings(self, client: MakeClient, serve: Serve) -> None:
        server = serve(Reply())
        with pytest.raises(PermanentError) as caught:
            client(False).request("GET", f"http://2130706433:{server.port}/")
        assert caught.value.code == "private_address"

    def test_only_the_addresses_that_passed_are_called(
        self, client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server, judged = serve(Reply()), []

        def judge(address: str) -> bool:
            judged.append(address)
            return address == "127.0.0.1"

        monkeypatch.setattr("memberhook.core.http_client.is_public", judge)
        http = client(False, resolve=lambda *_: ["10.255.255.1", "127.0.0.1"])
        assert http.request("GET", f"http://crm.example:{server.port}/").status == 200
        assert judged == ["10.255.255.1", "127.0.0.1"]
        assert server.requests[0].headers["Host"] == f"crm.example:{server.port}"

    def test_a_name_is_looked_up_once_in_half_a_minute(self, client: MakeClient, serve: Serve) -> None:
        server, looked_up, now = serve(Reply()), [], [100.0]

        def resolve(host: str, port: int) -> list[str]:
            looked_up.append((host, port))
            return ["127.0.0.1"]

        http = client(resolve=resolve, clock=lambda: now[0])
        for now[0] in (100.0, 129.0, 131.0):
            http.request("GET", f"http://crm.example:{server.port}/")
        assert looked_up == [("crm.example", server.port)] * 2

    def test_a_further_address_is_tried(self, client: MakeClient, serve: Serve) -> None:
        server = serve(Reply())
        http = client(resolve=lambda *_: ["::1", "127.0.0.1"])
        assert [http.request("GET", f"http://crm.example:{server.port}/").status for _ in range(2)] == [200, 200]

    def test_unicode_names(self) -> None:
        assert target_of("https://Bücher.example./x").site == "https://xn--bcher-kva.example"
        assert target_of("http://[::1]:8080").authority == "[::1]:8080"
        assert target_of("https://crm.example:443/").authority == "crm.example"

    @pytest.mark.parametrize(
        "url",
        [
            *("", "crm.example", "ftp://crm.example", "file:///etc/passwd", "http://", "http://[::1", "http://a:b@c/"),
            *("http://crm.example:99999", "http://crm example/", "http://crm.example:x/", "http://" + "ü" * 80),
        ],
    )
    def test_bad_addresses(self, client: MakeClient, url: str) -> None:
        with pytest.raises(PermanentError) as caught:
            client().request("GET", url)
        assert caught.value.code == "bad_address"

    def test_a_header_cannot_bring_another(self, client: MakeClient, serve: Serve) -> None:
        with pytest.raises(PermanentError) as caught:
            client().request("GET", serve(Reply()).url, headers={"X-A": "b\r\nX-C: d"})
        assert caught.value.code == "bad_address"


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class TestWhatGoesWrong:
    def test_nobody_listens(self, client: MakeClient) -> None:
        with pytest.raises(TransientError, match="Could not connect") as caught:
            client().request("GET", f"http://127.0.0.1:{closed_port()}/")
        assert caught.value.code == "unreachable"

    def test_no_such_name(self, client: MakeClient) -> None:
        def resolve(host: str, port: int) -> list[str]:
            raise socket.gaierror(-2, "Name or service not known")

        with pytest.raises(TransientError, match=r"host name crm\.example could not be resolved") as caught:
            client(resolve=resolve).request("GET", "https://crm.example/")
        assert caught.value.code == "unreachable"

    @pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("PUT", 2), ("POST", 1)])
    def test_hanging_up_without_an_answer(self, client: MakeClient, serve: Serve, method: str, tries: int) -> None:
        server = serve(Reply(raw=[]))
        with pytest.raises(TransientError, match="closed the connection") as caught:
            client().request(method, server.url, json={})
        assert caught.value.code == "unreachable"
        assert len(server.requests) == tries

    @pytest.mark.parametrize(
        "head", [b"Content-Length: 100\r\n\r\n12345", b"Transfer-Encoding: chunked\r\n\r\n64\r\n12345"]
    )
    def test_half_an_answer(self, client: MakeClient, serve: Serve, head: bytes) -> None:
        server = serve(Reply(raw=[b"HTTP/1.1 200 OK\r\n" + head]))
        with pytest.raises(TransientError) as caught:
            client().request("POST", server.url)
        assert caught.value.code == "unreachable"

    def test_no_http(self, client: MakeClient, serve: Serve) -> None:
        with pytest.raises(TransientError) as caught:
            client().request("POST", serve(Reply(raw=[b"220 mail.example ESMTP\r\n"])).url)
        assert caught.value.code == "unreachable"

    def test_packed_wrongly(self, client: MakeClient, serve: Serve) -> None:
        server = serve(Reply(body=b"not packed", headers={"Content-Encoding": "gzip"}))
        with pytest.raises(TransientError, match="could not be read") as caught:
            client().request("GET", server.url)
        assert caught.value.code == "unreachable"

    def test_no_answer_in_time(self, client: MakeClient, serve: Serve) -> None:
        ready = threading.Event()
        server = serve(Reply(hang=ready))
        with pytest.raises(TransientError, match="did not respond in time") as caught:
            client(read_timeout=0.1).request("GET", server.url)
        ready.set()
        assert caught.value.code == "timeout"

    def test_an_answer_that_never_ends(self, client: MakeClient, serve: Serve) -> None:
        now, stop = [0.0], threading.Event()

        def drip() -> Iterator[bytes]:
            yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
            for _ in range(1000):
                if stop.wait(0.005):
                    return
                now[0] += 1
                yield b"x"

        server = serve(Reply(raw=drip()))
        with pytest.raises(TransientError, match="longer than 60 seconds") as caught:
            client(clock=lambda: now[0]).request("GET", server.url)
        stop.set()
        assert caught.value.code == "timeout"

    @pytest.mark.parametrize(
        "reply",
        [Reply(body=b"x" * 1001), Reply(body=gzip.compress(b"x" * 5_000_000), headers={"Content-Encoding": "gzip"})],
    )
    def test_too_large(self, client: MakeClient, serve: Serve, reply: Reply) -> None:
        with pytest.raises(TransientError, match="larger than 1,000 bytes") as caught:
            client(max_bytes=1000).request("GET", serve(reply).url)
        assert caught.value.code == "too_large"

    def test_exactly_as_large_as_allowed(self, client: MakeClient, serve: Serve) -> None:
        assert len(client(max_bytes=1000).request("GET", serve(Reply(body=b"x" * 1000)).url).body) == 1000

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_not_followed(self, client: MakeClient, serve: Serve, status: int) -> None:
        server = serve(Reply(status, headers={"Location": "/other?token=secret"}))
        with pytest.raises(TransientError, match="redirects to another of its pages") as caught:
            client().request("GET", server.url)
        assert caught.value.code == "redirected"
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        ("location", "message"),
        [
            ("https://shop.example/x", "http://shop.example redirects to https://shop.example. Use"),
            ("https://www.shop.example/x?k=v", "Use https://www.shop.example as the address."),
            ("http://www.shop.example/", "Use http://www.shop.example as the address."),
            ("//www.shop.example/", "Use http://www.shop.example as the address."),
            ("https://u:p@shop.example/", "Use https://shop.example as the address."),
            (
                "https://sso.other.example/?k=v",
                "redirects to https://sso.other.example. Redirects are not followed;",
            ),
            ("/wp-login.php?k=v", "redirects to another of its pages"),
            ("http://[::1", "a redirect that is not a valid URL"),
        ],
    )
    def test_redirects_in_words(self, location: str, message: str) -> None:
        said = redirect_message(target_of("http://shop.example/api?secret=1"), location)
        assert message in said
        assert not any(secret in said for secret in ("k=v", "secret", "u:p", "/api"))

    def test_from_https_to_http_is_no_advice(self) -> None:
        said = redirect_message(target_of("https://shop.example/"), "http://shop.example/")
        assert "not followed" in said
        assert "Give" not in said

    def test_no_message_and_no_traceback_holds_a_secret(self, client: MakeClient, serve: Serve) -> None:
        ready = threading.Event()
        hanging, gone = serve(Reply(hang=ready)), f"http://127.0.0.1:{closed_port()}"
        urls = [hanging.url, gone, serve(Reply(raw=[])).url, serve(Reply(body=b"x" * 99)).url, "http://a:b:c"]
        urls += [serve(Reply(302, headers={"Location": "?key=SECRET"})).url, hanging.url.replace("http:", "https:")]
        http = client(read_timeout=0.1, max_bytes=10)
        for url in urls:
            with pytest.raises((TransientError, PermanentError)) as caught:
                http.request("GET", url, headers={"Authorization": "Basic SECRET"}, params=[("key", "SECRET")])
            assert "SECRET" not in "".join(traceback.format_exception_only(caught.value))
            assert "SECRET" not in repr(caught.value.__cause__)
        ready.set()


class Certificates:
    """A certificate authority of the test, and server certificates signed by it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        self.root = folder / "root.pem"
        self._write(self.root, self._certificate(self.name, self.key, None, 1))

    def server(self, host: str, days: int = 1) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        chain, private = self.folder / f"{host}.pem", self.folder / f"{host}.key"
        self._write(chain, self._certificate(name, key, host, days))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, private)
        return context

    def _certificate(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, host: str | None, days: int
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=10))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if host is None:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            known: x509.GeneralName = x509.DNSName(host)
            if host[0].isdigit():
                known = x509.IPAddress(ipaddress.ip_address(host))
            builder = builder.add_extension(x509.SubjectAlternativeName([known]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _write(self, path: Path, certificate: x509.Certificate) -> None:
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


class TestCertificates:
    @pytest.fixture
    def trusted(self, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Certificates:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.root))
        return certificates

    @pytest.mark.parametrize("host", ["crm.example", "127.0.0.1"])
    def test_a_good_one_for_the_name_asked_for(
        self, client: MakeClient, serve: Serve, trusted: Certificates, host: str
    ) -> None:
        server = serve(Reply(body=b"secure"), trusted.server(host))
        http = client(resolve=lambda *_: ["127.0.0.1"])
        assert http.request("GET", f"https://{host}:{server.port}/").body == b"secure"

    @pytest.mark.parametrize(
        ("names", "days", "why"),
        [("other.example", 1, "(?i)hostname mismatch"), ("crm.example", -1, "expired")],
    )
    def test_a_bad_one(
        self, client: MakeClient, serve: Serve, trusted: Certificates, names: str, days: int, why: str
    ) -> None:
        server = serve(Reply(), trusted.server(names, days))
        with pytest.raises(TransientError, match=why) as caught:
            client(resolve=lambda *_: ["127.0.0.1"]).request("GET", f"https://crm.example:{server.port}/")
        assert caught.value.code == "certificate"
        assert not server.requests

    def test_one_of_nobody_known(self, client: MakeClient, serve: Serve, certificates: Certificates) -> None:
        server = serve(Reply(), certificates.server("crm.example"))
        with pytest.raises(TransientError, match=r"certificate of https://crm\.example:.* is not valid") as caught:
            client(resolve=lambda *_: ["127.0.0.1"]).request("GET", f"https://crm.example:{server.port}/")
        assert caught.value.code == "certificate"

    def test_no_tls_at_all(self, client: MakeClient, serve: Serve) -> None:
        server = serve(Reply())
        with pytest.raises(TransientError, match="supports https") as caught:
            client().request("GET", server.url.replace("http:", "https:"))
        assert caught.value.code == "certificate"


class TestReadJson:
    @pytest.mark.parametrize(
        ("body", "value"),
        [(b'{"a": [1, "\xc3\xa9"]}', {"a": [1, "é"]}), (b"\xef\xbb\xbf[]", []), (b" null ", None)],
    )
    def test_good(self, body: bytes, value: object) -> None:
        assert read_json(Response(200, {}, body), "crm.example") == value

    @pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": NaN}', b'{"a": ', b'"\xff"', b"[" * 100_000, b"9" * 5000])
    def test_bad(self, body: bytes) -> None:
        with pytest.raises(TransientError, match=r"The response from crm\.example is not valid JSON") as caught:
            read_json(Response(200, {}, body), "crm.example")
        assert caught.value.code == "bad_answer"


def test_a_request_as_it_was_asked_is_seen_by_the_stub(client: MakeClient, serve: Serve) -> None:
    """The stub itself: what the tests above rely on."""
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return Reply(204)

    client().request("POST", serve(answer).url + "/p?a=1", body=b"raw")
    assert (seen[0].method, seen[0].path, seen[0].params, seen[0].body) == ("POST", "/p", {"a": "1"}, b"raw")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "9" * 30}, 999_999_999.0),
        ({"Retry-After": "Mon, 23 Nov 2026 12:01:30 GMT", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}, 90.0),
        ({"Retry-After": "Mon, 23 Nov 2026 11:00:00 GMT", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}, 0.0),
        ({"Retry-After": "Tue, 24 Nov 2026 13:00:00 GMT", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}, 90_000.0),
        ({"Retry-After": "Mon, 23 Nov 2026 12:01:30 GMT"}, None),
        ({"Retry-After": "Mon, 23 Nov 2026 12:01:30", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}, None),
        ({"Retry-After": "soon", "Date": "Mon, 23 Nov 2026 12:00:00 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Response(429, headers, b"")) == seconds
