"""Everything that can be asked of the service, as steps: by CI jobs, by people, by holders, by anybody. No I/O here."""

from hsmpub.client.asks.anybody import AnybodyAsks
from hsmpub.client.asks.ci import CiAsks
from hsmpub.client.asks.files import FileAsks
from hsmpub.client.asks.holders import HolderAsks
from hsmpub.client.asks.log import LogAsks
from hsmpub.client.asks.people import PeopleAsks
from hsmpub.client.asks.releases import ReleaseAsks


class Asks(ReleaseAsks, FileAsks, CiAsks, PeopleAsks, HolderAsks, LogAsks, AnybodyAsks):
    """All of it, for one asker."""


__all__ = ["Asks"]
