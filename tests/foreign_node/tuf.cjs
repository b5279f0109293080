// Usage: node tuf.cjs ROOT_JSON REPOSITORY_URL TARGET FOLDER. Exit 0: the target is in FOLDER; 1: refused, and why.
const fs = require("node:fs");
const path = require("node:path");
const { Updater } = require("tuf-js");

const [root, url, target, folder] = process.argv.slice(2);
const own = path.join(folder, "root.json");
if (path.resolve(root) !== path.resolve(own)) fs.copyFileSync(root, own);
(async () => {
  const updater = new Updater({
    metadataDir: folder, metadataBaseUrl: `${url}/metadata`, targetDir: folder, targetBaseUrl: `${url}/targets`,
    config: { fetchRetries: 0, fetchTimeout: 5000 },
  });
  await updater.refresh();
  const found = await updater.getTargetInfo(target);
  if (!found) throw new Error("no such target");
  await updater.downloadTarget(found, path.join(folder, target));
})().catch((error) => {
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
});
