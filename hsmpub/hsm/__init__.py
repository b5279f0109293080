"""The HSM: tokens and keys in ceremonies, signer workers in the keeper, one-shot vault processes.

No process but a short-lived or sandboxed child of this package ever loads the PKCS#11 module.

For ceremonies (synchronous): `config` (HsmConfig, KeySpec, BornKey), `token` (new_pin, init_token,
destroy_token), `birth` (bear_keys), `custody` (import_keys), `signer` (TokenSigner).
For the keeper (asynchronous): `pool` (Signers).
"""
