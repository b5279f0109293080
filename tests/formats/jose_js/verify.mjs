// Reads cases [{token, pem, alg, now, ...}] on stdin; prints for each the claims, or the code of the refusal.
import { readFileSync } from 'node:fs'
import { importSPKI, jwtVerify } from 'jose'

const answers = []
for (const { token, pem, alg, now, ...wanted } of JSON.parse(readFileSync(0, 'utf8'))) {
  try {
    const key = await importSPKI(pem, alg)
    const { payload } = await jwtVerify(token, key, { ...wanted, algorithms: [alg], currentDate: new Date(now * 1000) })
    answers.push(payload)
  } catch (error) {
    answers.push(error.code ?? String(error))
  }
}
console.log(JSON.stringify(answers))
