// ngrok's own JavaScript client, told what to do by lines of JSON on its standard input; see ngrok_api.py.
//
// Usage: node ngrok_api.js BASE_URL, with NODE_PATH set; the API key is in the environment variable API_KEY.
"use strict";

const readline = require("readline");
const { Ngrok } = require("@ngrok/ngrok-api");

const client = new Ngrok({ apiToken: process.env.API_KEY, baseUrl: process.argv[2] });

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());

function renamed(value, rename) {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename));
  if (value instanceof Map) return renamed(Object.fromEntries(value), rename);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [rename(key), renamed(item, rename)]));
}

// Methods that take the id alone, whatever else there is to say.
const byId = new Set(["get", "delete", "restart", "stop", "deleteCertificate", "deleteCertificateManagementPolicy"]);

async function perform(call, given) {
  const names = call.split(".");
  const method = names.pop();
  const target = names.reduce((object, name) => object[name], client);
  const keys = Object.keys(given);
  if (method === "list" && keys.length === 0) return renamed(await target.list(), snake);
  const argument = byId.has(method) && keys.length === 1 ? given.id : renamed(given, camel);
  return renamed((await target[method](argument)) ?? null, snake);
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { call, given } = JSON.parse(line);
    let answer;
    try {
      answer = { result: await perform(call, given) };
    } catch (error) {
      answer = { error: { status: error.statusCode ?? 0, code: error.errorCode ?? error.name ?? "", message: String(error.msg ?? error) } };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
