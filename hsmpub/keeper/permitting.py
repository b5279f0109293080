"""Holders let the keeper go on in new code without them: each signs the same permission, and a quorum gives it.

Nothing is kept for who holds no share: there is at most one open permission for each holder, the one they signed last.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hsmpub.errors import Conflict, Forbidden
from hsmpub.keeper.book import Book
from hsmpub.keeper.unsealing import Unsealing
from hsmpub.model import entry as e
from hsmpub.model.holder_act import Permission, dump_permission, load_permission, permission_id
from hsmpub.sandbox import code_digest
from hsmpub.shares.progress import group_progress
from hsmpub.shares.verifier import check_holder_signature
from hsmpub.wire import messages as m


class PermissionNotOfThisUnsealing(Conflict):
    advice = "Ask for what may be permitted now, and sign that."


class PermissionGivenAlready(Conflict):
    advice = "Nothing is to be done; once it was used, a fresh one is needed."


class PermissionOver(Conflict):
    advice = "Permit a time that is still to come."


class UpgradeNotPermitted(Forbidden):
    advice = "Holders permit it with 'hsmpub upgrade permit'; or restart the keeper and unseal it again."


@dataclass
class _Asked:
    """A permission that some holders have signed."""

    body: bytes
    permission: Permission
    signatures: dict[str, bytes] = field(default_factory=dict)


class Permitting:
    """Collects holders' signatures while unsealed, and says which permission fits now."""

    def __init__(self, book: Book, unsealing: Unsealing) -> None:
        self._book = book
        self._unsealing = unsealing
        self.running = code_digest()
        self._asked: dict[str, _Asked] = {}

    def view(self) -> m.UpgradeReply:
        record, opening = self._unsealing.record, self._unsealing.opening
        self._forget()
        given = [dump_permission(one) for one in self._book.state.permissions.values()]
        views = [m.PermissionView(body, (), (), True) for body in given]
        for asked in self._asked.values():
            signed = tuple(asked.signatures)
            views.append(m.PermissionView(asked.body, signed, group_progress(record, signed), False))
        return m.UpgradeReply(
            service=self._book.genesis.service,
            epoch=record.epoch,
            running=self.running,
            next=code_digest(),
            unsealed_at=-1 if opening is None else opening.opened.index,
            why=self._why(),
            group_threshold=record.group_threshold,
            permissions=tuple(views),
        )

    async def permit(self, message: m.PermitUpgrade) -> m.UpgradeReply:
        """Counts one holder's signature; with the last one needed the permission is in the log.

        Raises:
            PermissionMalformed, PermissionNotOfThisUnsealing, PermissionGivenAlready, PermissionOver, Sealed, and
            the rules of hsmpub.shares.verifier and of the log.
        """
        permission, name = load_permission(message.body), permission_id(message.body)
        self._check(permission)
        record = self._unsealing.record
        check_holder_signature(record, message.holder, "upgrade", message.body, message.signature)
        self._forget()
        async with self._book.turn():
            self._check(permission)
            for asked in self._asked.values():
                asked.signatures.pop(message.holder, None)
            asked = self._asked.setdefault(name, _Asked(message.body, permission))
            asked.signatures[message.holder] = message.signature
            self._asked = {one: held for one, held in self._asked.items() if held.signatures}
            if record.is_complete(asked.signatures):
                signatures = {holder: signature.hex() for holder, signature in asked.signatures.items()}
                await self._book.record(e.UpgradePermitted(self._book.now(), message.body.decode(), signatures))
                del self._asked[name]
        return self.view()

    def find(self, code: str) -> str:
        """The id of a permission to go on in this code now.

        Raises:
            UpgradeNotPermitted: there is none, or it is of another time, code, epoch or unsealing.
        """
        state, now = self._book.state, self._book.now()
        if state.opened is None:
            raise UpgradeNotPermitted("The log does not say that the service is unsealed.")
        why = "No quorum of holders has permitted an upgrade."
        for name, permission in state.permissions.items():
            if permission.epoch != self._unsealing.record.epoch or permission.unsealed_at != state.opened.index:
                why = "The permission is of another unsealing."
            elif permission.code != code:
                why = f"The permission is for other code ({permission.code[:16]}…, not {code[:16]}…)."
            elif not permission.begins <= now < permission.ends:
                why = "The time of the permission is over, or has not come."
            else:
                return name
        raise UpgradeNotPermitted(why)

    def _check(self, permission: Permission) -> None:
        _, opening = self._unsealing.live()
        ours = (self._book.genesis.service, self._unsealing.record.epoch, opening.opened.index)
        if (permission.service, permission.epoch, permission.unsealed_at) != ours:
            raise PermissionNotOfThisUnsealing("The permission is of another service, epoch or unsealing.")
        if permission.ends <= self._book.now():
            raise PermissionOver("The time of the permission is over.")
        if permission_id(dump_permission(permission)) in self._book.state.permitted:
            raise PermissionGivenAlready("Enough holders have signed this permission already.")

    def _why(self) -> str:
        try:
            self.find(code_digest())
        except UpgradeNotPermitted as error:
            return error.detail
        return ""

    def _forget(self) -> None:
        """Drops what can no longer be given."""
        opened, now = self._book.state.opened, self._book.now()
        index = -1 if opened is None or not self._unsealing.is_unsealed else opened.index
        self._asked = {
            name: asked
            for name, asked in self._asked.items()
            if asked.permission.unsealed_at == index and asked.permission.ends > now
        }
