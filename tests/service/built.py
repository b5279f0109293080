"""One artifact of each kind, each built by its own tool."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.formats.foreign_tool import needs, run
from tests.formats.samples import apk_file, pdf_file

_CONTROL = "Package: thing\nVersion: 1.0\nArchitecture: all\nMaintainer: Acme <a@acme.example>\nDescription: a thing\n"
_SPEC = """Name: thing
Version: 1.0
Release: 1
Summary: a thing
License: MIT
BuildArch: noarch
%description
a thing
%install
mkdir -p %{buildroot}/usr/share/thing
echo a thing > %{buildroot}/usr/share/thing/x
%files
/usr/share/thing/x
"""
_MODULE = 'const char i[] __attribute__((section(".modinfo"),used)) = "license=GPL\\0name=x\\0vermagic=6.1 SMP";'


def everything(folder: Path) -> list[Path]:
    """Packages, a program, a module, archives, a document and a Release file, which tell what they are by themselves;
    beside them a wheel and a public key, which do not."""
    made = [build(folder) for build in (deb, rpm, release, program, cabinet, module, jar, apk, pdf)]
    (folder / "thing.whl").write_bytes((folder / "thing.jar").read_bytes())
    _tool(folder, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ci-job", "-f", "id")
    return made


def deb(folder: Path) -> Path:
    control = folder / "deb" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    control.write_text(_CONTROL)
    (folder / "deb" / "thing").write_bytes(b"a thing")
    _tool(folder, "dpkg-deb", "--root-owner-group", "-b", "deb", "thing.deb")
    return folder / "thing.deb"


def rpm(folder: Path) -> Path:
    (folder / "thing.spec").write_text(_SPEC)
    _tool(folder, "rpmbuild", "--define", f"_topdir {folder}/rpm", "-bb", "thing.spec")
    [made] = (folder / "rpm").glob("RPMS/*/*.rpm")
    return made.rename(folder / "thing.rpm")


def release(folder: Path) -> Path:
    """Of an apt repository with the package."""
    (folder / "apt").mkdir()
    (folder / "apt" / "thing.deb").write_bytes((folder / "thing.deb").read_bytes())
    (folder / "apt" / "Packages").write_bytes(_tool(folder / "apt", "apt-ftparchive", "packages", "."))
    (folder / "Release").write_bytes(_tool(folder / "apt", "apt-ftparchive", "release", "."))
    return folder / "Release"


def program(folder: Path) -> Path:
    """A program for Windows, by GNU's own linker."""
    source = b"int main(void) { return 0; }"
    _tool(folder, "gcc", "-c", "-fno-ident", "-fno-asynchronous-unwind-tables", "-x", "c", "-o", "main.o", "-",
          stdin=source)  # fmt: skip
    _tool(folder, "ld", "-m", "i386pep", "--subsystem", "console", "-e", "main", "-o", "thing.exe", "main.o")
    return folder / "thing.exe"


def cabinet(folder: Path) -> Path:
    _tool(folder, "gcab", "-c", "thing.cab", "thing.exe")
    return folder / "thing.cab"


def module(folder: Path) -> Path:
    _tool(folder, "gcc", "-c", "-x", "c", "-o", "thing.ko", "-", stdin=_MODULE.encode())
    return folder / "thing.ko"


def jar(folder: Path) -> Path:
    (folder / "thing.txt").write_bytes(b"a thing" * 300)
    _tool(folder, "jar", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "--create", "--file", "thing.jar",
          "thing.txt")  # fmt: skip
    return folder / "thing.jar"


def apk(folder: Path) -> Path:
    (folder / "raw.apk").write_bytes(apk_file())
    _tool(folder, "zipalign", "4", "raw.apk", "thing.apk")
    return folder / "thing.apk"


def pdf(folder: Path) -> Path:
    """A page, written anew by cairo. (What pdfunite 22.12 writes has a trailer that is wrong, and is refused.)"""
    (folder / "raw.pdf").write_bytes(pdf_file())
    _tool(folder, "pdftocairo", "-pdf", "raw.pdf", "thing.pdf")
    return folder / "thing.pdf"


def _tool(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    needs(words[0])
    done: subprocess.CompletedProcess[bytes] = run(*words, stdin=stdin, cwd=folder, env={"HOME": str(folder)})
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout
