"""Why a policy file is refused: one name for each reason, always with the line."""

from __future__ import annotations

from hsmpub.model.toml_lines import InFile


class PolicyRefused(InFile):
    advice = "Correct the line and try again; the policy in force is unchanged."

    def __init__(self, detail: str, *, line: int, next_step: str | None = None) -> None:
        super().__init__(detail, line=line, file="policy", next_step=next_step)


class UnknownKey(PolicyRefused):
    advice = "Check the spelling; a policy says nothing that the service would not carry out."


class MissingKey(PolicyRefused):
    pass


class ApprovalsUnstated(PolicyRefused):
    advice = "Say whose approvals it takes, or 'approvals = []' if none are needed."


class WrongValue(PolicyRefused):
    pass


class UnknownReference(PolicyRefused):
    advice = "Check the spelling, or add what is missing."


class UnknownGroup(UnknownReference):
    advice = "Check the spelling, or put somebody into the group in the roster first."


class UnknownSigningKey(UnknownReference):
    advice = "Use a key that 'hsmpub status' lists; if it is newer than your trust.json: 'hsmpub trust update'."


class SigningKeyRetired(PolicyRefused):
    advice = "Name its successor, or another active key; 'hsmpub status' lists them."


class UnknownFormat(UnknownReference):
    pass


class KeyUnfitForFormat(PolicyRefused):
    advice = "Use another key for this format."


class KeyNotMeantForFormat(PolicyRefused):
    advice = "The ceremony pinned what the key makes; use another key for this format."


class KeyPurposesMixed(PolicyRefused):
    pass


class QuorumOutOfReach(PolicyRefused):
    advice = "Put more people into the group first, or ask for fewer."


class RequesterWithoutClaim(PolicyRefused):
    advice = "Pin at least one claim to a text, such as the repository; an issuer alone is everybody on it."


class ClaimReserved(PolicyRefused):
    advice = "Leave it out: the service checks this claim itself for every token."


class SaidTwice(PolicyRefused):
    advice = "Say it once."


class AmbiguousRequester(PolicyRefused):
    advice = "Tell the two apart by a claim that both name, or give them different keys and targets."


class UrlRefused(PolicyRefused):
    advice = "Use an https URL with a host and nothing else special; 'loopback = true' allows http to 127.0.0.1."


class IndexRefused(PolicyRefused):
    advice = "A pypi target has an 'index': the simple index that is read back. Other kinds have none."


class TagRefused(PolicyRefused):
    advice = "A git target has 'key' and may have 'tag', such as \"v{version}\"; other targets have neither."


class SshProfileUnfit(PolicyRefused):
    advice = "Where the format ssh-certificate is listed, [project.NAME.ssh_certificate] says what stands in it."


class ImagesUnstated(PolicyRefused):
    advice = "Say 'images = [\"registry.example/acme/web\"]'; a star stands for a part of the path."


class FilesUnfit(PolicyRefused):
    advice = "Leave 'files' out: tokens, lists of revoked certificates and tags are about no file of a release."


class PredicatesUnstated(PolicyRefused):
    advice = "Where the format in-toto is listed, 'predicates' lists the types that may be attested, letter for letter."


class ProfileUnfit(PolicyRefused):
    advice = "Where the format jwt, x509-certificate or x509-crl is listed, the project's table of that kind says more."


class RoutineOnly(PolicyRefused):
    advice = "A project of tokens, or of lists of revoked certificates, has approvals = [] and that format alone."


class TagKeyWithoutApprovals(PolicyRefused):
    advice = "Give routine work a key of its own."


class ReleaseKeyWithoutApprovals(PolicyRefused):
    advice = "Give routine work a key of its own, such as the ceremony's 'routine'."


class TimestampKeyShared(PolicyRefused):
    advice = "Give the authority a key of its own: its timestamps have an order and a clock that others do not keep."


class TimestampAskerUnfit(PolicyRefused):
    advice = "Name projects that take no approvals: programs ask for timestamps by themselves."


class CredentialShared(PolicyRefused):
    advice = "Give each target a credential of its own, so that each has exactly one and loses it alone."
