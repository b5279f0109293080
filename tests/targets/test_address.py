"""Only public addresses, or only loopback where the policy says so."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsmpub.targets.address import AddressForbidden, check_address, is_public, vetted_addresses
from hsmpub.targets.target import TargetUnreachable

FORBIDDEN = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "198.18.0.1", "192.0.2.1", "192.88.99.1", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254",
    "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1",
    "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("text", FORBIDDEN)
def test_refuses_an_address_that_leads_inside(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))
    if not ipaddress.ip_address(text).is_loopback:
        with pytest.raises(AddressForbidden):
            check_address(ipaddress.ip_address(text), host="h", loopback=True)


@pytest.mark.parametrize("text", ["8.8.8.8", "151.101.0.223", "2a04:4e42::223", "2606:4700::1"])
def test_takes_public_addresses_and_never_as_loopback(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))
    with pytest.raises(AddressForbidden):
        check_address(ipaddress.ip_address(text), host="h", loopback=True)


@given(st.ip_addresses(v=4))
def test_no_wrapped_form_of_an_address_is_public(inner: ipaddress.IPv4Address) -> None:
    number = int(inner)
    for wrapped in (0x0064FF9B << 96 | number, 0x2002 << 112 | number << 80, 0xFFFF << 32 | number, number):
        assert not is_public(ipaddress.IPv6Address(wrapped))


def test_one_inside_address_among_public_ones_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(2, 1, 6, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(AddressForbidden):
        vetted_addresses("two.example", 443, loopback=False)


def test_a_name_that_does_not_resolve_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(TargetUnreachable):
        vetted_addresses("nowhere.example", 443, loopback=False)
