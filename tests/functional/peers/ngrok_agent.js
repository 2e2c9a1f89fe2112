/**
 * ngrok's JavaScript SDK, unmodified. Plan, input and output are those of ngrok_agent.py; `session` and `options` are
 * methods of the SDK's builders in their JavaScript spelling.
 */
"use strict";

const readline = require("readline");
const ngrok = require("@ngrok/ngrok");

const KINDS = { http: "httpEndpoint", tcp: "tcpEndpoint", tls: "tlsEndpoint", labeled: "labeledListener" };

function tell(event, fields) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
}

function refused(error) {
  tell("refused", { what: "", message: error.message, code: error.errorCode || "" });
}

function built(builder, options) {
  for (const [name, ...args] of options || []) {
    const bytes = name === "termination" || name === "mutualTlsca" || name === "caCert";
    builder[name](...args.map((argument) => (bytes ? Buffer.from(argument) : argument)));
  }
  return builder;
}

function details(update) {
  return update ? { version: update.version, permit_major_version: update.permitMajorVersion } : {};
}

async function publish(session, number, plan) {
  const builder = built(session[KINDS[plan.kind]](), plan.options);
  try {
    const listener = await builder.listenAndForward(plan.to);
    tell("online", { number, url: listener.url() || "", id: listener.id(), metadata: listener.metadata() });
    return listener;
  } catch (error) {
    refused(error);
    return null;
  }
}

async function main(plan) {
  const builder = new ngrok.SessionBuilder();
  builder.authtoken(plan.authtoken).serverAddr(plan.server_addr).rootCas(plan.root_cas);
  for (const name of plan.commands || []) {
    const method = "handle" + name[0].toUpperCase() + name.slice(1) + "Command";
    builder[method]((...args) => tell("command", { command: name, ...details(args.find((argument) => argument && argument.version !== undefined)) }));
  }
  builder.handleDisconnection(() => {
    tell("disconnected");
    return true;
  });
  built(builder, plan.session);
  let session;
  try {
    session = await builder.connect();
  } catch (error) {
    refused(error);
    process.exit(0);
  }
  tell("connected");
  const listeners = [];
  for (const endpoint of plan.endpoints) listeners.push(await publish(session, listeners.length, endpoint));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const word = line.split(" ", 1)[0];
    const rest = line.slice(word.length + 1);
    if (word === "close") {
      await listeners[Number(rest)].close();
      tell("closed", { number: Number(rest) });
    } else if (word === "open") {
      listeners.push(await publish(session, listeners.length, JSON.parse(rest)));
    }
  }
  await session.close();
  tell("ended");
  process.exit(0);
}

main(JSON.parse(process.argv[2]));
