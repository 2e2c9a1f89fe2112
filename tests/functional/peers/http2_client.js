// A client on Node's own HTTP/2: `http2_client.js CA PORT HOST` prints what came of it as JSON.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const http2 = require("http2");
const [ca, port, host] = process.argv.slice(2);

const session = http2.connect(`https://${host}:${port}`, {
  ca: fs.readFileSync(ca),
  lookup: (name, options, found) => (options.all ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4)),
});

// The answer to one request: its head, its trailers, its body.
function ask(headers, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const answer = { trailers: {}, body: Buffer.alloc(0) };
    const parts = [];
    stream.on("response", (head) => { answer.head = head; });
    stream.on("trailers", (trailers) => { answer.trailers = trailers; });
    stream.on("data", (data) => parts.push(data));
    stream.on("end", () => { answer.body = Buffer.concat(parts); resolve(answer); });
    stream.on("error", reject);
    if (body !== undefined) stream.end(body);
  });
}

const sha1 = (data) => crypto.createHash("sha1").update(data).digest("hex");

// What an extended CONNECT brings back of some bytes (RFC 8441).
function websocket() {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/chat", "sec-websocket-version": "13" });
    stream.on("error", reject);
    stream.on("response", (head) => { if (head[":status"] !== 200) resolve(head[":status"]); });
    stream.once("data", (data) => { resolve(data.toString("hex")); stream.resume().end(Buffer.from([0x88, 0x80, 0, 0, 0, 0])); });
    stream.write(Buffer.from([0x81, 0x85, 0, 0, 0, 0, 0x68, 0x65, 0x6c, 0x6c, 0x6f]));
  });
}

async function main() {
  await new Promise((resolve) => session.once("remoteSettings", resolve));
  const many = await Promise.all([...Array(100).keys()].map((number) => ask({ ":path": `/size/${1000 + number}` })));
  const upload = await ask({ ":path": "/echo", ":method": "POST" }, Buffer.alloc(3000000));
  const chunks = await ask({ ":path": "/chunks/5" });
  const download = await ask({ ":path": "/size/5000000" });
  const cancelled = await new Promise((resolve) => {
    const stream = session.request({ ":path": "/wait" });
    stream.on("close", () => resolve(stream.rstCode));
    setImmediate(() => stream.close(http2.constants.NGHTTP2_CANCEL));
  });
  const pinged = await new Promise((resolve, reject) => session.ping((error, took) => (error ? reject(error) : resolve(took > 0))));
  console.log(JSON.stringify({
    many: many.every((answer, number) => answer.head[":status"] === 200 && answer.body.length === 1000 + number),
    upload: JSON.parse(upload.body).length,
    trailers: chunks.trailers["x-count"],
    download: sha1(download.body),
    websocket: await websocket(),
    cancelled,
    pinged,
    extended: session.remoteSettings.enableConnectProtocol,
    after: (await ask({ ":path": "/" })).head[":status"],
  }));
  session.close();
}

main().catch((error) => { console.error(error); process.exit(1); });
