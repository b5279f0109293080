"""Where the front listens: two forms of address, and a sentence for every other."""

from __future__ import annotations

import socket

import pytest

from api.main import bind
from hsmpub.listening import AddressInUse, AddressMalformed, listen_at


@pytest.mark.parametrize(
    "address", ["", "8700", ":8700", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1"]
)
def test_refuses_what_is_no_address(address: str) -> None:
    with pytest.raises(AddressMalformed):
        listen_at(address)


def test_refuses_an_address_that_is_taken() -> None:
    with listen_at("127.0.0.1:0") as taken, pytest.raises(AddressInUse, match="Nothing can listen at"):
        listen_at(f"127.0.0.1:{taken.getsockname()[1]}")


def test_refuses_an_address_of_another_machine() -> None:
    with pytest.raises(AddressInUse):
        listen_at("192.0.2.1:0")  # TEST-NET-1


def test_takes_a_socket_that_was_passed() -> None:
    with listen_at("127.0.0.1:0") as listening:
        passed = bind(f"fd:{socket.dup(listening.fileno())}")
        with passed:
            assert passed.getsockname() == listening.getsockname()
