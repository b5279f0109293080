// Usage: node sigstore.cjs BUNDLE ARTIFACT PUBLIC_KEY_PEM. Exit 0: verified; 1: refused; the reason is on stderr.
const fs = require("node:fs");
const { createPublicKey } = require("node:crypto");
const { bundleFromJSON } = require("@sigstore/bundle");
const { toSignedEntity, toTrustMaterial, Verifier } = require("@sigstore/verify");

const [bundlePath, artifactPath, keyPath] = process.argv.slice(2);
const bundle = bundleFromJSON(JSON.parse(fs.readFileSync(bundlePath, "utf8")));
const rawBytes = createPublicKey(fs.readFileSync(keyPath)).export({ type: "spki", format: "der" });
const hint = bundle.verificationMaterial.content.publicKey.hint;
const nobody = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
const trust = toTrustMaterial(nobody, { [hint]: { rawBytes } });
const verifier = new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: 0 });
try {
  verifier.verify(toSignedEntity(bundle, fs.readFileSync(artifactPath)));
} catch (error) {
  console.error(`${error.code}: ${error.message}`);
  process.exit(1);
}
