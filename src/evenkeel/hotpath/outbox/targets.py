"""Where a message may go: addresses are resolved first, private ones refused, and the connection goes to what was checked.

Resolving once and connecting to that very address closes the gap in which a name could change its meaning (DNS
rebinding). Ranges: the IANA special-purpose address registries (RFC 6890 and its updates).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host and port -> addresses. Raises OSError when there are none."""

_REFUSED_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
# Within it: protocol assignments and tunnels (Teredo, 6to4 carry IPv4 addresses inside), documentation.
_REFUSED_6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TargetRules:
    """`allow`: networks (CIDR) that may be reached although they are private. `schemes`: without "http", TLS is a
    must.
    """

    allow: tuple[str, ...] = ()
    schemes: frozenset[str] = frozenset({"http", "https"})

    def allows(self, address: Address) -> bool:
        """Whether a connection to this address may be made."""
        plain = _unwrapped(address)
        return _is_public(plain) or any(plain in ipaddress.ip_network(each) for each in self.allow)


@dataclass(frozen=True, slots=True)
class Target:
    """A checked destination: connect to `address`, speak to `host`."""

    scheme: str
    host: str
    port: int
    address: str
    path: str

    @property
    def pinned_url(self) -> str:
        """The URL with the address in the place of the name."""
        place = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{place}:{self.port}{self.path}"

    @property
    def host_header(self) -> str:
        """What the server is told it is called."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == {"http": 80, "https": 443}[self.scheme] else f"{name}:{self.port}"


class ForbiddenTargetError(ValueError):
    """This address must not be reached; the message says why."""


async def check_target(url: str, rules: TargetRules, resolve: Resolve | None = None) -> Target:
    """Resolve and check a URL. Raises `ForbiddenTargetError`; OSError when the name cannot be resolved."""
    parts, port = _split(url, rules)
    host = parts.hostname or ""
    found = [ipaddress.ip_address(text) for text in await (resolve or _resolve)(host, port)]
    for address in found:
        if not rules.allows(address):
            raise ForbiddenTargetError(f"{host} leads to {address}, which is not a public address")
    if not found:
        raise ForbiddenTargetError(f"{host} has no address")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, str(found[0]), path)


def _split(url: str, rules: TargetRules) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError as error:
        raise ForbiddenTargetError(f"not a URL: {error}") from None
    if parts.scheme not in rules.schemes:
        raise ForbiddenTargetError(f"scheme {parts.scheme!r} is not allowed")
    if not parts.hostname:
        raise ForbiddenTargetError("no host")
    if parts.username is not None or parts.password is not None:
        raise ForbiddenTargetError("a URL with a user name in it")
    return parts, port


def _unwrapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_4)
    return address in _PUBLIC_6 and not any(address in network for network in _REFUSED_6)


async def _resolve(host: str, port: int) -> list[str]:
    """In the loop's resolver threads; a zone index (`%eth0`) is only for link-local addresses and is cut off."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]).split("%", maxsplit=1)[0] for entry in found]
