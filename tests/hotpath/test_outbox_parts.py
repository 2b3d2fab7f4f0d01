"""The pure parts of the outbox: templates, waits, breakers, targets; and the HTTP sender against a real server."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from evenkeel.hotpath.outbox import TargetRules, read_templates
from evenkeel.hotpath.outbox.breakers import REMEMBERED, Breakers
from evenkeel.hotpath.outbox.http import Endpoint, http_sender, retry_after
from evenkeel.hotpath.outbox.targets import ForbiddenTargetError, check_target
from evenkeel.hotpath.outbox.verdicts import delivery_of, wait_s
from evenkeel.hotpath.ports.dispatcher import BackoffTemplate, SendClass, SendResult
from evenkeel.hotpath.ports.outbox_rows import ClaimedMessage, Group, OutboxStatus
from evenkeel.kernel.clock import ManualClock
from evenkeel.kernel.errors import ConfigurationError

MESSAGE = ClaimedMessage("m", 3, 0, "chat", "a", "user", "p", "", b'{"text":"hi"}', "key", 0.0)
SHIPPED = read_templates()
DOWN = SendResult(SendClass.UNAVAILABLE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, SendClass.SENT),
        (204, SendClass.SENT),
        (301, SendClass.REJECTED),
        (400, SendClass.REJECTED),
        (404, SendClass.REJECTED),
        (408, SendClass.TIMEOUT),
        (429, SendClass.THROTTLED),
        (500, SendClass.UNAVAILABLE),
        (504, SendClass.TIMEOUT),
        (199, SendClass.REJECTED),
    ],
)
def test_what_a_status_means(status: int, kind: SendClass) -> None:
    assert read_templates().of("any channel").meaning(status) is kind


def test_own_templates_are_laid_over_those_that_ship() -> None:
    own = read_templates('[feishu]\nmax_retries = 1\nstatuses = { "418" = "throttled" }\n[own]\nbase_s = 9.0')
    shipped = read_templates()
    assert own.of("feishu").backoff == dataclasses.replace(shipped.of("feishu").backoff, max_retries=1)
    assert own.of("feishu").meaning(418) is SendClass.THROTTLED
    assert own.of("feishu").meaning(503) is SendClass.UNAVAILABLE
    assert own.of("own").backoff.base_s == 9.0
    assert own.of("own").backoff.max_s == shipped.of("unknown").backoff.max_s


@pytest.mark.parametrize(
    "text",
    [
        "[x",
        "x = 1",
        "[x]\nbase = 1",
        "[x]\nbase_s = 0",
        '[x]\nstatuses = { "2xx" = "fine" }',
        "[x]\njitter = 1.0",
        "[x]\nmax_retries = -1",
    ],
)
def test_broken_templates_are_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_templates(text)
    assert raised.value.hint


def test_waits_grow_are_capped_spread_and_honour_retry_after_within_bounds() -> None:
    template = BackoffTemplate("x", base_s=2, factor=2, max_s=60, jitter=0.5, retry_after_max_s=100)
    assert [wait_s(template, n, None, lambda: 0.5) for n in range(7)] == [2, 4, 8, 16, 32, 60, 60]
    assert (wait_s(template, 0, None, lambda: 0.0), wait_s(template, 0, None, lambda: 1.0)) == (1, 3)
    assert wait_s(template, 0, 50.0, lambda: 0.5) == 50
    assert wait_s(template, 0, 0.0, lambda: 0.5) == 2  # a provider cannot make us hurry
    assert wait_s(template, 0, 1e9, lambda: 0.5) == 100  # nor wait for ever
    assert wait_s(template, 10_000, None, lambda: 0.5) == 60


def test_tries_are_counted_to_the_bound() -> None:
    template = BackoffTemplate("x", max_retries=2)
    statuses = [
        delivery_of(dataclasses.replace(MESSAGE, retries=n), DOWN, template, lambda: 0.5).status for n in range(4)
    ]
    assert statuses == [OutboxStatus.RETRY, OutboxStatus.RETRY, OutboxStatus.FAILED, OutboxStatus.FAILED]


def test_a_breaker_opens_tries_one_and_closes() -> None:
    clock, group = ManualClock(), Group("chat", "a")
    breakers = Breakers(3, 30.0, clock)
    for _ in range(2):
        breakers.saw(group, DOWN)
    assert (breakers.room(group, 4), breakers.open()) == (4, ())
    breakers.saw(group, SendResult(SendClass.TIMEOUT))
    assert (breakers.room(group, 4), breakers.open(), breakers.next_s()) == (0, (group,), 30.0)
    clock.advance(30)
    assert (breakers.room(group, 4), breakers.open(), breakers.next_s()) == (1, (), None)
    breakers.saw(group, DOWN)
    assert breakers.room(group, 4) == 0
    clock.advance(30)
    breakers.saw(group, SendResult(SendClass.REJECTED))  # it answers
    assert (breakers.room(group, 4), breakers.troubled()) == (4, [])


def test_a_provider_may_ask_for_a_longer_pause_but_not_for_ever() -> None:
    breakers = Breakers(1, 30.0, ManualClock())
    breakers.saw(Group("chat", "a"), SendResult(SendClass.THROTTLED, retry_after_s=100.0))
    breakers.saw(Group("chat", "b"), SendResult(SendClass.THROTTLED, retry_after_s=1e9))
    assert [breakers.left_s(Group("chat", name)) for name in "ab"] == [100.0, 300.0]


def test_breakers_remember_a_bounded_number_of_accounts() -> None:
    breakers = Breakers(1, 30.0, ManualClock())
    for n in range(REMEMBERED + 10):
        breakers.saw(Group("chat", str(n)), DOWN)
    assert len(breakers.troubled()) == REMEMBERED
    assert breakers.left_s(Group("chat", "0")) == 0


REFUSED = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.100.100.200",
    "168.63.129.16", "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1",
    "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "64:ff9b::7f00:1",
    "2001:0:7f00:1::", "ff02::1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
async def test_private_addresses_are_refused_whatever_they_are_called(address: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34", address]

    with pytest.raises(ForbiddenTargetError, match="not a public address"):
        await check_target("https://hooks.example/x", TargetRules(), resolve)


@pytest.mark.parametrize("address", ["93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1"])
async def test_public_addresses_are_pinned(address: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return [address]

    target = await check_target("https://hooks.example/x?y=1", TargetRules(), resolve)
    place = f"[{address}]" if ":" in address else address
    assert (target.pinned_url, target.host_header) == (f"https://{place}:443/x?y=1", "hooks.example")
    assert (await check_target("http://hooks.example:81", TargetRules(), resolve)).host_header == "hooks.example:81"


@pytest.mark.parametrize(
    "url",
    ["ftp://a/", "file:///etc/passwd", "https://", "https://user:pw@a/", "https://a:99999/", "//a", "", "https://[::1"],
)
async def test_odd_urls_are_refused(url: str) -> None:
    with pytest.raises(ForbiddenTargetError):
        await check_target(url, TargetRules())


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:7f00:1]", "0"])
async def test_other_ways_to_write_this_machine_are_refused(host: str) -> None:
    with pytest.raises((ForbiddenTargetError, OSError)):
        await check_target(f"http://{host}/", TargetRules())


async def test_what_is_allowed_by_name_is_allowed() -> None:
    target = await check_target("http://127.0.0.1:8/", TargetRules(allow=("127.0.0.0/8",)))
    assert target.address == "127.0.0.1"


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after("120", 0.0) == 120
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 1445412480.0 - 60) == 60
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 1445412480.0 + 60) == 0
    assert [retry_after(text, 0.0) for text in ("", "soon", "-5", "1.5")] == [None] * 4


@asynccontextmanager
async def server(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that reads one request and answers these bytes."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        heard.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], heard


async def posted(answer: bytes, rules: TargetRules) -> tuple[SendResult, list[bytes]]:
    pytest.importorskip("httpx2", reason="the extra outbox-http is not installed")
    async with server(answer) as (port, heard):

        async def endpoint(_message: ClaimedMessage) -> Endpoint:
            return Endpoint(f"http://hooks.example:{port}/in?x=1", {"X-Token": "t"})

        async def resolve(_host: str, _port: int) -> list[str]:
            return ["127.0.0.1"]

        async with http_sender(endpoint, SHIPPED, rules, resolve=resolve) as send:
            return await send(MESSAGE), heard


LOOPBACK = TargetRules(allow=("127.0.0.0/8",))


async def test_the_http_sender_posts_to_the_pinned_address_under_the_name_with_the_key() -> None:
    result, heard = await posted(b"HTTP/1.1 204 No Content\r\n\r\n", LOOPBACK)
    assert result == SendResult(SendClass.SENT)
    head, _, body = heard[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /in?x=1 http/1.1"
    assert sum(line.startswith("host: hooks.example:") for line in lines) == 1
    assert {"idempotency-key: key", "x-token: t", "content-type: application/json"} <= set(lines)
    assert body == MESSAGE.payload


async def test_the_http_sender_refuses_private_targets_before_connecting() -> None:
    result, heard = await posted(b"", TargetRules())
    assert (result.kind, heard) == (SendClass.FORBIDDEN_TARGET, [])


async def test_the_http_sender_tells_throttling_redirects_and_broken_servers_apart() -> None:
    throttled, _ = await posted(b"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nslow", LOOPBACK)
    assert throttled == SendResult(SendClass.THROTTLED, 7.0, "HTTP 429 slow")
    redirected, heard = await posted(
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", LOOPBACK
    )
    assert (redirected.kind, len(heard)) == (SendClass.REJECTED, 1)
    broken, _ = await posted(b"", LOOPBACK)
    assert broken.kind is SendClass.UNAVAILABLE


async def test_a_long_answer_is_not_read() -> None:
    result, _ = await posted(b"HTTP/1.1 500 Oh\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 100_000, LOOPBACK)
    assert result.kind is SendClass.UNAVAILABLE
    assert len(result.detail) < 300
