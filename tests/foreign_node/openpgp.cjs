// Reads {data (base64), signature, certificate, revocation, by} on stdin; prints what openpgp.js makes of them. A text
// that carries its signature comes as {text, certificate, revocation} instead.
const { readFileSync } = require("node:fs");
const openpgp = require("openpgp");

(async () => {
  const asked = JSON.parse(readFileSync(0, "utf8"));
  let key = await openpgp.readKey({ armoredKey: asked.certificate });
  if (asked.revocation) key = await key.update(await openpgp.readKey({ armoredKey: asked.revocation }));
  const signed = asked.text !== undefined
    ? { message: await openpgp.readCleartextMessage({ cleartextMessage: asked.text }) }
    : { message: await openpgp.createMessage({ binary: Buffer.from(asked.data, "base64") }),
        signature: await openpgp.readSignature({ armoredSignature: asked.signature }) };
  const told = await openpgp.verify({ ...signed, verificationKeys: key });
  let verified = true, why = "";
  try {
    await told.signatures[0].verified;
  } catch (error) {
    verified = false;
    why = String(error);
  }
  const by = asked.by && await openpgp.readKey({ armoredKey: asked.by });
  const vouches = by ? await key.verifyAllUsers([by]) : [];
  const vouched = vouches.some((one) => one.valid && one.keyID.equals(by.getKeyID()));
  const revoked = await key.isRevoked();
  const fingerprint = key.getFingerprint(), subkeys = key.getSubkeys().map((one) => one.getFingerprint());
  const ends = [await key.getExpirationTime(), ...await Promise.all(key.getSubkeys().map((one) => one.getExpirationTime()))];
  console.log(JSON.stringify({ verified, why, revoked, vouched, fingerprint, subkeys, ends, userIds: key.getUserIDs() }));
})();
