// Types come from the document alone; what they promise is tried against a running front.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };
type Problem = components["schemas"]["ProblemDocument"];

const client = createClient<paths>({ baseUrl: process.argv[2] });
const status = await client.GET("/v1/status");
if (!status.data) throw new Error("no status");
const state: string = status.data.state;
const missing = await client.GET("/v1/requests/{name}", { params: { path: { name: "r-404" } } });
const problem: Problem | undefined = missing.error;
const body: components["schemas"]["AskSign"] = { ask: "sign", project: "sdk", formats: ["openpgp"], states: [] };
const refused = await client.POST("/v1/sign", { body });
const vault = await client.POST("/v1/transit/sign/{name}", { params: { path: { name: "k" } }, body: { input: "eA==" } });
const errors: readonly string[] = vault.error?.errors ?? [];
console.log(JSON.stringify([state, problem?.type, refused.error?.type, errors[0]?.split(":")[0]]));
