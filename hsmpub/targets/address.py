"""Which addresses the courier may connect to: public ones, or loopback where the policy says so, and no other.

`ipaddress.is_global` alone is a trap: it is true for addresses that only wrap another one (NAT64, 6to4),
so those ranges are refused as such.
"""

from __future__ import annotations

import ipaddress
import socket

from hsmpub.errors import Forbidden
from hsmpub.targets.target import TargetUnreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: IPv6 ranges that carry an IPv4 address inside, or lead into a site. Sources: RFC 6052, 8215, 3056, 4380, 3879.
_WRAPPING = tuple(
    ipaddress.IPv6Network(net)
    for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96", "::ffff:0:0/96")
)
#: 6to4 relays (RFC 7526).
_RELAYS = ipaddress.IPv4Network("192.88.99.0/24")


class AddressForbidden(Forbidden):
    advice = "Targets and issuers live at public addresses; 'loopback = true' in the policy allows this machine only."


def is_public(address: Address) -> bool:
    """True for plain, global unicast addresses."""
    if address.is_multicast or not address.is_global:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return not any(address in net for net in _WRAPPING)
    return address not in _RELAYS


def check_address(address: Address, *, host: str, loopback: bool) -> None:
    """Raises AddressForbidden. With `loopback` exactly loopback addresses pass, without it exactly public ones."""
    if loopback and not address.is_loopback:
        raise AddressForbidden(f"The policy says loopback, but {host!r} is at another address.")
    if not loopback and not is_public(address):
        raise AddressForbidden(f"The host {host!r} is not at a public address.")


def vetted_addresses(host: str, port: int, *, loopback: bool) -> list[str]:
    """Resolves once; what is returned is what is connected to. One bad address among them refuses the host.

    Raises:
        AddressForbidden: an address of the host may not be connected to.
        TargetUnreachable: the name does not resolve.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TargetUnreachable(f"The name {host!r} does not resolve.") from None
    addresses: list[str] = []
    for _, _, _, _, where in found:
        text = str(where[0])
        check_address(ipaddress.ip_address(text.partition("%")[0]), host=host, loopback=loopback)
        if text not in addresses:
            addresses.append(text)
    return addresses
