"""Why a piece of TUF metadata is not signed: one name for each reason."""

from __future__ import annotations

from hsmpub.formats.detail import DetailMalformed


class TufRefused(DetailMalformed):
    """Family of what is wrong with metadata that is to be signed."""

    advice = "Have 'hsmpub tuf' write the metadata, or bring it into that form; nothing was signed."


class TufNotCanonical(TufRefused):
    advice = "Send the metadata's member 'signed' in canonical JSON, and nothing else."


class TufWrongRole(TufRefused):
    advice = "Each role has a format of its own: tuf-root, tuf-targets, tuf-snapshot, tuf-timestamp."


class TufMemberRefused(TufRefused):
    advice = "Leave out what the service could not show to approvers; write what is missing."


class TufValueRefused(TufRefused):
    pass


class TufKeyRefused(TufRefused):
    advice = "Name each key once, under the SHA-256 of its canonical JSON, as python-tuf and tuf-js do."


class TufThresholdOutOfReach(TufRefused):
    advice = "A threshold is at least 1 and at most the number of the role's keys."


class TufExpiryRefused(TufRefused):
    advice = "Choose an expiry in the future and within the bounds of the role and of the project's 'tuf_longest'."


class TufTooLongToApprove(TufRefused):
    advice = "Split the targets over several repositories, or sign this role without approvals."
