// Reads cases [{token, pem, alg, now, ...}] on stdin; prints for each the claims, or the code of the refusal.
const { readFileSync } = require("node:fs");

(async () => {
  // jose is an ES module, and `import` alone would not look in NODE_PATH
  const { importSPKI, jwtVerify } = await import(require.resolve("jose"));
  const answers = [];
  for (const { token, pem, alg, now, ...wanted } of JSON.parse(readFileSync(0, "utf8"))) {
    try {
      const key = await importSPKI(pem, alg);
      const options = { ...wanted, algorithms: [alg], currentDate: new Date(now * 1000) };
      answers.push((await jwtVerify(token, key, options)).payload);
    } catch (error) {
      answers.push(error.code ?? String(error));
    }
  }
  console.log(JSON.stringify(answers));
})();
