"""PKCS#11 modules to try, each with what it needs around it, in folders of its own.

Where a module's paths are built in (opencryptoki, p11-kit's list of modules) a stage lives in a mount namespace of
its own, with its folders mounted over the system's; nothing of it is left outside.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hsmpub.hsm.softhsm import softhsm_conf_text

LIB = Path("/usr/lib/x86_64-linux-gnu")
SOFTHSM = Path(os.environ.get("SOFTHSM2_MODULE", "/usr/lib/softhsm/libsofthsm2.so"))
_SECONDS = 20


@dataclass(frozen=True)
class Stage:
    """A module with its surroundings.

    Attributes:
        name: for people.
        packages: of Debian.
        module: path; needs: other files that must be there.
        around: sets it up in a folder and takes it down; may set the environment.
        pin_length: that fits it. first_so_pin: of its maker. own_pin: its token is made by its own tool, with this PIN.
        namespace: it must run in namespaces of its own, which takes root.
    """

    name: str
    packages: str
    module: Path
    around: Callable[[Path], AbstractContextManager[None]]
    needs: tuple[Path, ...] = ()
    pin_length: int = 40
    first_so_pin: bytes | None = None
    own_pin: bytes = b""
    namespace: bool = False

    def package_version(self) -> str:
        """Of the first of its packages, or that nobody knows."""
        package = self.packages.split()[0]
        done = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", package],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return f"{package} {done.stdout}" if done.returncode == 0 else "not from Debian"

    def lacks(self) -> str:
        """Why it cannot run here, or nothing."""
        missing = [str(path) for path in (self.module, *self.needs) if not path.exists()]
        if missing:
            return f"{', '.join(missing)} is not installed: 'apt install {self.packages}'"
        if self.namespace and (os.geteuid() != 0 or not shutil.which("unshare")):
            return "only root can give it a namespace of its own"
        return ""


@contextmanager
def _softhsm(folder: Path) -> Iterator[None]:
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(softhsm_conf_text(folder / "tokens"))
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    yield


@contextmanager
def _p11_kit_remote(folder: Path) -> Iterator[None]:
    socket = folder / "socket"
    with (
        _softhsm(folder),
        _running(["p11-kit", "server", "-f", "-n", socket, "--provider", SOFTHSM, "pkcs11:"], socket),
    ):
        os.environ["P11_KIT_SERVER_ADDRESS"] = f"unix:path={socket}"
        yield


@contextmanager
def _opencryptoki(folder: Path) -> Iterator[None]:
    for own, system in (("etc", "/etc/opencryptoki"), ("lib", "/var/lib/opencryptoki")):
        shutil.copytree(system, folder / own)
        _run("mount", "--bind", folder / own, system)
    _run("mount", "-t", "tmpfs", "none", "/run")
    _run("mount", "-t", "tmpfs", "none", "/dev/shm")
    locks = Path("/run/lock/opencryptoki/swtok")
    locks.mkdir(parents=True)
    _run("chgrp", "-R", "pkcs11", locks.parent)
    _run("chmod", "-R", "770", locks.parent)
    with _running(["pkcsslotd", "-f"], Path("/run/pkcsslotd.socket")):
        yield


@contextmanager
def _nss(folder: Path) -> Iterator[None]:
    database, modules = folder / "db", folder / "modules"
    database.mkdir()
    modules.mkdir()
    (folder / "pin").write_bytes(NSS_PIN + b"\n")
    _run("certutil", "-N", "-d", f"sql:{database}", "-f", folder / "pin")
    (modules / "nss.module").write_text(
        f"module: {LIB}/libsoftokn3.so\ncritical: yes\nx-init-reserved: configdir='sql:{database}' certPrefix='' "
        "keyPrefix='' secmod='secmod.db' flags= dbTokenDescription='hsmpub' minPWLen=8\n"
    )
    _run("mount", "--bind", modules, "/usr/share/p11-kit/modules")
    yield


@contextmanager
def _tpm2(folder: Path) -> Iterator[None]:
    state, socket = folder / "state", folder / "tpm"
    state.mkdir()
    (folder / "store").mkdir()
    _run("swtpm_setup", "--tpm2", "--tpmstate", state)
    command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--flags", "not-need-init,startup-clear",
               "--server", f"type=unixio,path={socket}", "--ctrl", f"type=unixio,path={socket}.ctrl"]  # fmt: skip
    os.environ |= {
        "TPM2_PKCS11_STORE": str(folder / "store"), "TPM2_PKCS11_TCTI": f"swtpm:path={socket}", "TSS2_LOG": "all+none"
    }  # fmt: skip
    with _running(command, Path(f"{socket}.ctrl")):
        yield


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=_SECONDS)


@contextmanager
def _running(command: list[object], socket: Path) -> Iterator[None]:
    """A daemon that is ready when its socket is there; ended by its process id."""
    with subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as daemon:
        try:
            for _ in range(_SECONDS * 100):
                if socket.exists() or daemon.poll() is not None:
                    break
                try:
                    daemon.wait(0.01)
                except subprocess.TimeoutExpired:
                    continue
            assert daemon.poll() is None, f"{command[0]} ended"
            yield
        finally:
            daemon.terminate()


#: Beginnings of the variables by which stages configure their modules.
MODULE_VARIABLES = ("SOFTHSM2_CONF", "P11_KIT_", "TPM2_PKCS11_", "TSS2_")
NSS_PIN = b"made by certutil 0123456789"

STAGES = {
    stage.name: stage
    for stage in (
        Stage("SoftHSM", "softhsm2", SOFTHSM, _softhsm),
        Stage("p11-kit remote", "p11-kit p11-kit-modules", LIB / "pkcs11/p11-kit-client.so", _p11_kit_remote,
              needs=(Path("/usr/bin/p11-kit"),)),
        Stage("opencryptoki", "opencryptoki", LIB / "opencryptoki/libopencryptoki.so.0", _opencryptoki,
              needs=(Path("/usr/sbin/pkcsslotd"),), pin_length=8, first_so_pin=b"87654321", namespace=True),
        Stage("NSS", "libnss3 libnss3-tools p11-kit p11-kit-modules", LIB / "p11-kit-proxy.so", _nss,
              needs=(LIB / "libsoftokn3.so", Path("/usr/bin/certutil"), Path("/usr/share/p11-kit/modules")),
              own_pin=NSS_PIN, namespace=True),
        Stage("tpm2-pkcs11", "libtpm2-pkcs11-1 swtpm swtpm-tools", LIB / "pkcs11/libtpm2_pkcs11.so", _tpm2,
              needs=(Path("/usr/bin/swtpm"), Path("/usr/bin/swtpm_setup"))),
    )
}  # fmt: skip
