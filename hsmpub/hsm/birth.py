"""Keys are born extractable in a throw-away token, wrapped, and the token is destroyed.

What is wrapped, and how (measured with SoftHSM 2.6.1):

- p256 and rsa3072: the token wraps them itself (C_WrapKey, CKM_AES_KEY_WRAP_PAD). Content: PKCS#8, followed by
  up to seven zero bytes that SoftHSM adds.
- aes256: wrapped by the token in the same way. Content: the 32 raw bytes.
- ed25519: SoftHSM refuses to wrap and to unwrap these, so the short-lived process reads the seed and wraps
  it in software. Content: PKCS#8 (RFC 8410).

All are RFC 5649 outside, so that any tool can unwrap them who has the wrapping key.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hsmpub.hsm.child import Secret, run_once
from hsmpub.hsm.config import BornKey, HsmConfig, KeySpec
from hsmpub.hsm.messages import BearKeys
from hsmpub.hsm.rules import KeyUnfit
from hsmpub.hsm.softhsm import softhsm_conf_text
from hsmpub.hsm.token import CHORE, erase_directory
from hsmpub.scratch import scratch_folder

#: Memory-backed where Linux has it: then not even the encrypted throw-away token touches a disk.
_MEMORY = Path("/dev/shm")  # noqa: S108
WRAPPING_KEY_BYTES = 32


def bear_keys(module: str, specs: Sequence[KeySpec], wrapping_key: Secret) -> list[BornKey]:
    """Generates keys and wraps each; afterwards a wrapping is all that is left of them.

    Args:
        module: path of the SoftHSM module; keys may be born in SoftHSM for any production token.
        wrapping_key: 32 bytes, AES-256; left as it is.

    Returns:
        One BornKey for each spec, in order.

    Raises:
        KeyUnfit: the wrapping key is not 32 bytes, or a name is repeated.
    """
    if len(wrapping_key) != WRAPPING_KEY_BYTES:
        raise KeyUnfit("A wrapping key has 32 bytes.", next_step="Make a fresh one of 32 random bytes.")
    if len({spec.name for spec in specs}) != len(specs):
        raise KeyUnfit("Two keys have the same name.", next_step="Give each key a name of its own.")
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with scratch_folder("hsmpub-birth-", memory, erase=erase_directory) as where:
        tokens, conf = where / "tokens", where / "softhsm2.conf"
        tokens.mkdir(mode=0o700)
        conf.write_text(softhsm_conf_text(tokens), encoding="utf-8")
        hsm = HsmConfig(module, "birth", str(conf), str(where / "lock"))
        return list(run_once(CHORE, hsm, BearKeys(tuple(specs)), [wrapping_key]).born)
