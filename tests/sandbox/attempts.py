"""Run in a child: hardens itself, tries things, prints what each came to as JSON."""

import ctypes
import json
import os
import resource
import socket
import subprocess
import sys
import threading

from hsmpub.sandbox.hardening import harden

role, where, files = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
paths = {"read": [f"{where}/open"], "write": [f"{where}/write"]} if files else {}
report = harden(role, **paths)
outcomes = {"report": report}


def attempt(name, action):
    try:
        action()
    except PermissionError:
        outcomes[name] = "refused"
    except OSError as error:
        outcomes[name] = f"failed: {error}"
    else:
        outcomes[name] = "done"


def opened(family):
    socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM).close()


def forked():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def threaded():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def read(path):
    with open(path) as file:
        file.read(1)


def write(path):
    with open(path, "w") as file:
        file.write("x")


attempt("checkout", lambda: read(os.path.join(sys.path[0], "pyproject.toml")))
attempt("package", lambda: __import__("hsmpub.tlog.merkle"))
attempt("inet", lambda: opened(socket.AF_INET))
attempt("inet6", lambda: opened(socket.AF_INET6))
attempt("netlink", lambda: opened(socket.AF_NETLINK))
attempt("unix", lambda: opened(socket.AF_UNIX))
attempt("interpreter", lambda: subprocess.run([sys.executable, "-I", "-S", "-c", "0"], check=True))
attempt("program", lambda: subprocess.run(["/bin/true"], check=True))
attempt("fork", forked)
attempt("thread", threaded)
attempt("passwd", lambda: read("/etc/passwd"))
attempt("named", lambda: read(f"{where}/open/file"))
attempt("scribble", lambda: write(f"{where}/open/file"))
attempt("writable", lambda: write(f"{where}/write/file"))
attempt("closed", lambda: read(f"{where}/closed/file"))
attempt("signal-outside", lambda: os.kill(os.getppid(), 0))
outcomes["core-limit"] = list(resource.getrlimit(resource.RLIMIT_CORE))
outcomes["dumpable"] = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)
print(json.dumps(outcomes))
