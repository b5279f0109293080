"""A small file of each kind that formats are made for, built here."""

from __future__ import annotations

import base64
import struct


def pe_file(size: int = 1536) -> bytes:
    """A PE32+ with headers and one section: enough for everybody who reads where things lie."""
    sizes = (512, 0, 0, 0x1000, 0x1000, 0x140000000, 0x1000, 512)
    stacks = (1 << 20, 4096, 1 << 20, 4096, 0, 16)
    numbers = (0x20B, 14, 0, *sizes, 6, 0, 0, 0, 6, 0, 0, 0x2000, 512, 0, 3, 0, *stacks)
    optional = struct.pack("<HBBIIIIIQIIHHHHHHIIIIHHQQQQII", *numbers)
    optional += bytes(16 * 8)
    coff = struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, len(optional), 0x22)
    section = struct.pack("<8sIIIIIIHHI", b".text", 512, 0x1000, size - 512, 512, 0, 0, 0, 0, 0x60000020)
    dos = b"MZ" + bytes(58) + (64).to_bytes(4, "little")
    head = dos + b"PE\0\0" + coff + optional + section
    return head.ljust(512, b"\0") + bytes(i * 7 % 256 for i in range(size - 512))


def module_file(size: int = 900) -> bytes:
    """What begins as an ELF object does; nobody who signs or verifies modules looks further."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + bytes(i * 11 % 256 for i in range(size))


def asked_of_agent(namespace: str, hash_name: str = "sha512", fill: int = 7) -> bytes:
    """What ssh-keygen asks an agent to sign."""
    digest = bytes([fill]) * (64 if hash_name == "sha512" else 32)
    fields = (namespace.encode(), b"", hash_name.encode(), digest)
    return b"SSHSIG" + b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def ssh_public_key(fill: int) -> bytes:
    """A public key file."""
    blob = len(b"ssh-ed25519").to_bytes(4, "big") + b"ssh-ed25519" + (32).to_bytes(4, "big") + bytes([fill]) * 32
    return b"ssh-ed25519 " + base64.b64encode(blob) + b" ci-job\n"


SAMPLES: dict[str, bytes] = {
    "authenticode": pe_file(),
    "kernel-module": module_file(),
    "ssh-agent-file": asked_of_agent("file"),
    "ssh-agent-git": asked_of_agent("git"),
    "ssh-certificate": ssh_public_key(7),
}
#: Another one of each kind.
OTHERS: dict[str, bytes] = {
    "authenticode": pe_file(2048),
    "kernel-module": module_file(901),
    "ssh-agent-file": asked_of_agent("file", fill=8),
    "ssh-agent-git": asked_of_agent("git", fill=8),
    "ssh-certificate": ssh_public_key(9),
}
