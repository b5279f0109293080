"""A small OpenID Connect issuer on loopback, as a CI system runs one for its jobs. For the demo and the tests.

It vouches for whatever it is told: never point a real policy at it.

- `GET /.well-known/openid-configuration`, `GET /jwks`: what a relying party reads.
- `POST /token` with `{"audience": …, "claims": {…}, "lifetime": seconds}`: a token.
- `GET /job/token?audience=…` with the bearer token of `Issuer.job`: as GitHub Actions serves its jobs, with
  the claims of that job and no others.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey


@dataclass(frozen=True)
class Job:
    """What a CI system puts into a job's environment, by the names that GitHub Actions uses."""

    request_url: str
    request_token: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.request_url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
        }


class Issuer:
    """A running issuer; a context manager that stops it.

    url: what tokens carry as `iss`; algorithm: ES256, ES384, RS256, PS256 or EdDSA.
    """

    def __init__(self, algorithm: str = "ES256", port: int = 0) -> None:
        self.algorithm = algorithm
        self._keys: list[tuple[str, PrivateKey]] = []
        self._jobs: dict[str, dict[str, Any]] = {}
        self._changing = threading.Lock()
        self.rotate()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="issuer", daemon=True)

    @classmethod
    def start(cls, algorithm: str = "ES256", port: int = 0) -> Issuer:
        """Listen on 127.0.0.1 at `port`, 0 for a free one, until `stop`."""
        issuer = cls(algorithm, port)
        issuer._thread.start()
        return issuer

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Issuer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def rotate(self, *, keep_old: bool = True) -> str:
        """Sign with a new key from now on; returns its `kid`. The old ones stay in the set unless told otherwise."""
        key = _new_key(self.algorithm)
        kid = secrets.token_hex(8)
        with self._changing:
            self._keys = [(kid, key), *(self._keys if keep_old else [])]
        return kid

    def jwks(self) -> dict[str, Any]:
        with self._changing:
            return {"keys": [_public_jwk(kid, key, self.algorithm) for kid, key in self._keys]}

    def jwks_bytes(self) -> bytes:
        """As served: what `hsmpub.identity.parse_jwks` takes."""
        return json.dumps(self.jwks()).encode()

    def token(self, audience: str, *, lifetime: int = 600, now: int | None = None, **claims: Any) -> str:
        """A token for `audience`. Claims may replace the usual ones; a claim of None is left out."""
        issued = int(time.time()) if now is None else now
        payload = {
            "iss": self.url,
            "sub": f"repo:{claims.get('repository', 'example/project')}",
            "aud": audience,
            "iat": issued,
            "nbf": issued,
            "exp": issued + lifetime,
            "jti": secrets.token_hex(16),
            **claims,
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        with self._changing:
            kid, key = self._keys[0]
        return jwt.encode(payload, key, algorithm=self.algorithm, headers={"kid": kid})

    def job(self, *, request_token: str = "", **claims: Any) -> Job:
        """A job with these claims, which may ask for its own tokens only. request_token: of a job that goes on."""
        request_token = request_token or secrets.token_urlsafe(24)
        with self._changing:
            self._jobs[request_token] = dict(claims)
        return Job(f"{self.url}/job/token?api-version=1", request_token)

    def job_claims(self, request_token: str) -> dict[str, Any] | None:
        with self._changing:
            return self._jobs.get(request_token)


def _new_key(algorithm: str) -> PrivateKey:
    match algorithm:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case "RS256" | "PS256":
            return rsa.generate_private_key(65537, 2048)
        case "EdDSA":
            return Ed25519PrivateKey.generate()
    raise ValueError(f"no algorithm {algorithm!r} here")


def _public_jwk(kid: str, key: PrivateKey, algorithm: str) -> dict[str, Any]:
    common = {"kid": kid, "use": "sig", "alg": algorithm}
    match key:
        case ec.EllipticCurvePrivateKey():
            size = (key.key_size + 7) // 8
            numbers = key.public_key().public_numbers()
            x, y = (_base64url(n.to_bytes(size, "big")) for n in (numbers.x, numbers.y))
            return {"kty": "EC", "crv": "P-256" if size == 32 else "P-384", "x": x, "y": y, **common}
        case rsa.RSAPrivateKey():
            public = key.public_key().public_numbers()
            n, e = (_base64url(v.to_bytes((v.bit_length() + 7) // 8, "big")) for v in (public.n, public.e))
            return {"kty": "RSA", "n": n, "e": e, **common}
        case _:
            return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(key.public_key().public_bytes_raw()), **common}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _handler(issuer: Issuer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/.well-known/openid-configuration":
                self._send(200, {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/jwks"})
            elif url.path == "/jwks":
                self._send(200, issuer.jwks())
            elif url.path == "/job/token":
                claims = issuer.job_claims(self.headers.get("Authorization", "").partition(" ")[2])
                audience = parse_qs(url.query).get("audience", [issuer.url])[0]
                if claims is None:
                    self._send(401, {"error": "no such job"})
                else:
                    self._send(200, {"value": issuer.token(audience, **claims)})
            else:
                self._send(404, {"error": "no such page"})

        def do_POST(self) -> None:
            try:
                size = int(self.headers.get("Content-Length", "0"))
                if self.path != "/token" or not 0 < size <= 65_536:
                    raise ValueError
                asked = json.loads(self.rfile.read(size))
                token = issuer.token(asked["audience"], lifetime=int(asked.get("lifetime", 600)), **asked["claims"])
            except (ValueError, KeyError, TypeError):
                self._send(400, {"error": "POST /token takes audience, claims and lifetime"})
            else:
                self._send(200, {"token": token})

        def _send(self, status: int, body: Mapping[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class named it
            """Silent: the demo's terminal belongs to the story."""

    return Handler


def main() -> None:
    """Run until interrupted; the first line on standard output is the issuer's URL."""
    parser = argparse.ArgumentParser(description="OpenID Connect issuer for demos, on 127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--algorithm", default="ES256", choices=["ES256", "ES384", "RS256", "PS256", "EdDSA"])
    options = parser.parse_args()
    with Issuer.start(options.algorithm, options.port) as issuer:
        print(issuer.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
