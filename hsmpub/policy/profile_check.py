"""Formats whose content the policy decides have a table in the project, and the table has its format."""

from __future__ import annotations

from collections.abc import Collection

from hsmpub.formats.purposes import ROUTINE_FORMATS
from hsmpub.policy import refusals as rule
from hsmpub.policy.project import Project

SSH_CERTIFICATE, JWT, X509_CERTIFICATE, X509_CRL = "ssh-certificate", "jwt", "x509-certificate", "x509-crl"


def check_profiles(name: str, project: Project, formats: Collection[str], *, line: int) -> None:
    """Raises SshProfileUnfit, ProfileUnfit, RoutineOnly."""
    if (project.ssh_certificate is not None) != (SSH_CERTIFICATE in formats):
        raise rule.SshProfileUnfit(
            f"Project {name!r} {'makes no' if project.ssh_certificate else 'does not say what stands in its'} SSH"
            " certificates.",
            line=line,
        )
    tables = ((JWT, project.jwt, "jwt"), (X509_CERTIFICATE, project.certificate, "certificate"),
              (X509_CRL, project.crl, "crl"))  # fmt: skip
    for format_name, table, key in tables:
        if (table is not None) != (format_name in formats):
            there, missing = (f"the table {key}", format_name) if table else (format_name, f"the table {key}")
            raise rule.ProfileUnfit(f"Project {name!r} has {there} without {missing}.", line=line)
    routine = ROUTINE_FORMATS.intersection(formats)
    if routine and (project.approvals or project.publish or len(formats) > 1):
        raise rule.RoutineOnly(f"Project {name!r} makes {min(routine)}, and something else besides.", line=line)
