"""A signer: one process, one thread, logged in once, signing what it is sent until the channel closes.

It answers each frame of work with one frame. When the HSM reports anything but success it answers what is
done and leaves: a fresh process has fresh sessions and handles, and a crash in the module harms nobody else.
"""

from __future__ import annotations

import gc

import msgspec
import pkcs11

from hsmpub.errors import HsmpubError, Problem
from hsmpub.frames import pack_frame, read_frames
from hsmpub.hsm.inside import Inside, run_inside
from hsmpub.hsm.keybook import KeyBook
from hsmpub.hsm.messages import Made, Ready, Serve, Work, WorkDone
from hsmpub.hsm.rules import HsmFailed, SignatureNotVerified, TokenGone

_WORK: msgspec.msgpack.Decoder[Work] = msgspec.msgpack.Decoder(Work)

#: What a vanished token looks like: notes of the module, measured, and PKCS#11 2.40, section 5.1.
_GONE = (
    pkcs11.ObjectHandleInvalid, pkcs11.KeyHandleInvalid, pkcs11.TokenNotPresent, pkcs11.TokenNotRecognised,
    pkcs11.DeviceRemoved, pkcs11.DeviceError, pkcs11.SessionHandleInvalid, pkcs11.SessionClosed,
    pkcs11.UserNotLoggedIn,
)  # fmt: skip


def main() -> int:
    """Runs a signer on the channel at standard input."""
    return run_inside("signer", _serve)


def _serve(inside: Inside) -> None:
    order = inside.opening.order
    if not isinstance(order, Serve):
        raise HsmFailed("A signer takes no other order than to serve.")
    cryptoki, session = inside.open_session(inside.secrets[0])
    book = KeyBook(cryptoki, session, order.keys, trust_token=order.trust_token)
    channel = inside.channel
    channel.sendall(pack_frame(Ready(inside.protections, book.missing())))
    gc.freeze()  # what is there stays; a collection would only walk it again
    for work in read_frames(channel, _WORK):
        done, leaving = _work(book, work)
        channel.sendall(pack_frame(WorkDone(done, leaving)))
        if leaving:
            return


def _work(book: KeyBook, work: Work) -> tuple[list[Made], bool]:
    """Signs group by group, each all or nothing; after an error that voids the handles, the rest stays undone."""
    done: list[Made] = []
    for group in work.groups:
        try:
            done.append(Made(book.signer(group.key, group.hash)(group.items)))
        except HsmpubError as error:
            done.append(Made([], Problem.of(error)))
            if isinstance(error, SignatureNotVerified):
                return done, True
        except pkcs11.PKCS11Error as error:
            done.append(Made([], Problem.of(_trouble(error))))
            return done, True
    return done, False


def _trouble(error: pkcs11.PKCS11Error) -> HsmpubError:
    name = type(error).__name__
    if isinstance(error, _GONE):
        return TokenGone(f"The token is not there any more ({name}).")
    return HsmFailed(f"The HSM failed ({name}).")
