"""What of a request the policy's profile certifies: a kind of key, a common name, hosts. Everything else is its own."""

from __future__ import annotations

import msgspec

from hsmpub.errors import Forbidden, Invalid
from hsmpub.formats.x509.asked import Asked, is_host
from hsmpub.model.glob import is_match
from hsmpub.model.profiles import CertificateProfile

_OF_HOSTS = frozenset({"tls-server", "tls-client"})


class CertifiedKeyUnfit(Forbidden):
    advice = "Make a key of a kind that [project.NAME.certificate] lists, RSA with the exponent 65537."


class NameNotAllowed(Forbidden):
    advice = "Ask for names that the policy's patterns in [project.NAME.certificate] take."


class NameMissing(Invalid):
    advice = "Put a common name into the request's subject; for a server, host names into subjectAltName."


class Granted(msgspec.Struct, frozen=True):
    """common_name: of the subject; hosts: the alternative names."""

    common_name: str
    hosts: tuple[str, ...]


def grant(asked: Asked, profile: CertificateProfile) -> Granted:
    """Raises CertifiedKeyUnfit, NameNotAllowed, NameMissing."""
    if asked.key not in profile.keys:
        raise CertifiedKeyUnfit(f"The policy certifies {', '.join(profile.keys)}, and no {asked.key or 'other'} key.")
    hosts = asked.hosts
    if hosts and profile.usage not in _OF_HOSTS:
        raise NameNotAllowed(f"A certificate for {profile.usage} names no hosts.")
    if profile.usage == "tls-server" and not hosts:
        hosts = (asked.common_name,) if is_host(asked.common_name) else ()
        if not hosts:
            raise NameMissing("The request names no host.")
    if profile.usage == "tls-server" and asked.common_name not in ("", *hosts):
        raise NameNotAllowed("The common name of a server is one of its hosts.")
    common = asked.common_name or (hosts[0] if hosts and len(hosts[0]) <= 64 else "")
    if not common:
        raise NameMissing("The request has no common name.")
    for name in dict.fromkeys((common, *hosts)):
        if not any(is_match(pattern, name) for pattern in profile.names):
            raise NameNotAllowed(f"The policy certifies nothing named {name[:80]!r} for this project.")
    return Granted(common, hosts)
