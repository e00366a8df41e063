"""The HTTP client makes each call once, and distinguishes "not sent" from "no answer"."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.http import MAX_RETRY_AFTER, HttpClient, NoAnswer, NotSent, delay_until_epoch, retry_after

OK_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
REDIRECT_RESPONSE = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
Respond = Callable[[str], bytes | None]
"""From a request line, computes what to send back. ``None`` closes the connection."""


@asynccontextmanager
async def client_of_server(
    respond: Respond, request_lines: list[str], timeout: float = 30
) -> AsyncIterator[HttpClient]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request_lines.append(head.partition(b" HTTP")[0].decode())
                response = respond(request_lines[-1])
                if response is None:
                    break
                writer.write(response)
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = HttpClient(f"http://127.0.0.1:{port}/", timeout, timeout)
    try:
        yield client
    finally:
        await client.close()
        server.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_request_lost_on_a_kept_alive_connection_is_not_repeated(method: str) -> None:
    request_lines: list[str] = []
    async with client_of_server(lambda line: None if line.endswith("/lost") else OK_RESPONSE, request_lines) as client:
        assert (await client.request("GET", "/first")).json() == {}
        with pytest.raises(NoAnswer):
            await client.request(method, "/lost")
    assert request_lines == ["GET /first", f"{method} /lost"]


async def test_read_timeout_means_no_answer() -> None:
    async with client_of_server(lambda _: b"", [], timeout=0.2) as client:
        with pytest.raises(NoAnswer):
            await client.request("GET", "/")


async def test_incomplete_response_means_no_answer() -> None:
    async with client_of_server(lambda _: OK_RESPONSE[:-1], [], timeout=0.2) as client:
        with pytest.raises(NoAnswer):
            await client.request("GET", "/")


async def test_refused_connection_means_not_sent() -> None:
    async with client_of_server(lambda _: OK_RESPONSE, []) as stopped:
        client = HttpClient(stopped.base_url, 30, 30)
    with pytest.raises(NotSent):
        await client.request("POST", "/")
    await client.close()


async def test_redirect_is_not_followed() -> None:
    request_lines: list[str] = []
    async with client_of_server(lambda _: REDIRECT_RESPONSE, request_lines) as client:
        assert (await client.request("GET", "/here")).status_code == 302
    assert request_lines == ["GET /here"]


def self_signed_context(folder: Path) -> ssl.SSLContext:
    """A server's TLS context with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    valid = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1)).not_valid_after(
        datetime.now(UTC) + timedelta(days=1)
    )
    named = valid.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = named.serial_number(x509.random_serial_number()).sign(key, hashes.SHA256())
    plain, file = serialization.NoEncryption(), folder / "server.pem"
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, pkcs8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_server_with_a_certificate_that_nobody_vouches_for_gets_no_request(tmp_path: Path) -> None:
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK_RESPONSE)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self_signed_context(tmp_path))
    client = HttpClient(f"https://localhost:{server.sockets[0].getsockname()[1]}", 30, 30)
    with pytest.raises(NotSent):
        await client.request("GET", "/", headers={"Authorization": "Bearer canary"})
    await client.close()
    server.close()
    assert received == []


async def test_query_with_special_characters_arrives_unchanged() -> None:
    request_lines: list[str] = []
    async with client_of_server(lambda _: OK_RESPONSE, request_lines) as client:
        await client.request("GET", "/rows", params={"filter": "start>=2027-01-04T00:00:00.000Z,a==1&b+c d%20"})
    assert parse_qsl(request_lines[0].partition("?")[2]) == [
        ("filter", "start>=2027-01-04T00:00:00.000Z,a==1&b+c d%20")
    ]


@pytest.mark.parametrize("content", [None, {"a": 1}, {"a": "x" * 3_000_000}])
async def test_request_past_its_deadline_is_not_sent(content: object) -> None:
    request_lines: list[str] = []
    async with client_of_server(lambda _: OK_RESPONSE, request_lines) as client:
        with pytest.raises(NotSent):
            await client.request("POST", "/late", content=content, send_before=datetime.now(UTC))
        await client.request("POST", "/early", send_before=datetime.now(UTC) + timedelta(seconds=60))
    assert request_lines == ["POST /early"]


def http_date_in(days: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)


@pytest.mark.parametrize(
    ("header", "delay"),
    [
        ("7", timedelta(seconds=7)),
        ("86400", MAX_RETRY_AFTER),
        ("9" * 400, MAX_RETRY_AFTER),
        pytest.param(http_date_in(1), MAX_RETRY_AFTER, id="tomorrow"),
        pytest.param(http_date_in(-1), timedelta(0), id="yesterday"),
        ("soon", None),
    ],
)
def test_retry_after_is_obeyed_for_at_most_an_hour(header: str, delay: timedelta | None) -> None:
    assert retry_after(httpx.Response(429, headers={"retry-after": header}, content=b"")) == delay


def test_rate_limit_reset_is_obeyed_for_at_most_an_hour() -> None:
    now = int(datetime.now(UTC).timestamp())
    assert timedelta(seconds=50) < (delay_until_epoch(str(now + 60)) or MAX_RETRY_AFTER) <= timedelta(seconds=60)
    assert delay_until_epoch(str(now - 60)) == timedelta(0)
    assert delay_until_epoch(str(1000 * now)) == delay_until_epoch("9" * 400) == MAX_RETRY_AFTER
    assert delay_until_epoch("soon") is None
