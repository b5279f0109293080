"""The keeper's two sockets: the front's, and the courier's, which the front must not be able to speak on."""

from __future__ import annotations

import os

from hsmpub.config import KeeperSection
from hsmpub.errors import Invalid
from hsmpub.home import Home
from hsmpub.keeper.service import Keeper
from hsmpub.wire import messages as m
from hsmpub.wire.server import ChannelServer


class ChannelsNotSeparate(Invalid):
    advice = "Give front and courier uids of their own in config.toml, or start them with 'hsmpub serve'."


def open_channels(
    home: Home, section: KeeperSection, keeper: Keeper, token: bytes
) -> tuple[ChannelServer, ChannelServer]:
    """Both sockets. The front must not be able to speak as the courier: by uid, or by the token.

    Raises:
        ChannelsNotSeparate.
    """
    front_uids = section.front_uids or (os.getuid(),)
    courier_uids = section.courier_uids or (os.getuid(),)
    if not token and set(front_uids) & set(courier_uids):
        raise ChannelsNotSeparate("The front could speak as the courier: they share a uid and there is no token.")
    front = ChannelServer(home.front_socket, m.FrontCall, m.FrontAnswer, keeper.front, uids=front_uids)
    courier = ChannelServer(
        home.courier_socket, m.CourierCall, m.CourierAnswer, keeper.courier, uids=courier_uids, token=token
    )
    return front, courier


def read_token(fd: int) -> bytes:
    """The courier channel's token, from a pipe that only the keeper and the courier inherit."""
    if fd < 0:
        return b""
    try:
        return os.read(fd, 32)
    finally:
        os.close(fd)
