// A reverse tunnel with npm ssh2, the strictest of the clients: node ssh2_forward.js PORT KEY NAME REMOTE LOCAL [COMMAND]
//
// Prints "ready PORT" when the forward is granted, what its session prints, and carries connections until its input ends.
"use strict";
const fs = require("fs");
const net = require("net");
const { Client } = require("ssh2");

const [port, key, name, remote, local, command] = process.argv.slice(2);
const client = new Client();

client.on("tcp connection", (info, accept) => {
  const channel = accept();
  const service = net.connect(Number(local), "127.0.0.1");
  channel.pipe(service).pipe(channel);
  service.on("error", () => channel.end());
});

client.on("ready", () => {
  client.forwardIn(name === "-" ? "" : name, Number(remote), (error, granted) => {
    if (error) throw error;
    console.log("ready", granted);
  });
  if (command) {
    client.exec(command, (error, session) => {
      if (error) throw error;
      session.on("data", (data) => process.stdout.write(data));
    });
  }
});

client.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
client.connect({ host: "127.0.0.1", port: Number(port), username: "v2", privateKey: fs.readFileSync(key) });
process.stdin.on("end", () => process.exit(0)).resume();
