// A service on Node's own HTTP/2, in clear text: `http2_service.js PORT [STREAMS [REQUESTS]]`. It takes so many streams at a time,
// and says goodbye to a connection after so many requests; 0 is any number. Prints `ready`, and what happens to connections.
"use strict";
const http2 = require("http2");
const [port, streams, requests] = process.argv.slice(2).map(Number);
const settings = { enableConnectProtocol: true };
if (streams) settings.maxConcurrentStreams = streams;
const server = http2.createServer({ settings });
const tell = (...words) => process.stdout.write(words.join(" ") + "\n");
let sessions = 0, refusals = 0;

function trailing(stream, headers, trailers) {
  stream.respond(headers, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
}

const paths = {
  "/hello": (stream) => { stream.respond({ ":status": 200, "x-service": "node" }); stream.end("hello\n"); },
  "/session": (stream) => { stream.respond({ ":status": 200 }); stream.end(`${stream.session.number} ${stream.id}\n`); },
  "/headers": (stream, headers) => { stream.respond({ ":status": 200 }); stream.end(JSON.stringify(headers)); },
  "/echo": (stream) => {
    let sent = {};
    stream.on("trailers", (trailers) => { sent = trailers; });
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": sent["x-sum"] || "none" }));
    stream.pipe(stream);
  },
  "/count": (stream) => {
    let size = 0;
    stream.on("data", (data) => { size += data.length; });
    stream.on("end", () => { stream.respond({ ":status": 200 }); stream.end(`${size}\n`); });
  },
  "/big": (stream) => {
    stream.respond({ ":status": 200, "content-type": "text/plain" });
    let left = 200;
    const piece = Buffer.alloc(100000, "x");
    const more = () => { while (left--) if (!stream.write(piece)) return stream.once("drain", more); stream.end(); };
    more();
  },
  "/stuck": (stream) => { stream.pause(); stream.respond({ ":status": 200 }); stream.write("stuck\n"); },
  "/events": (stream) => {
    stream.respond({ ":status": 200, "content-type": "text/event-stream" });
    let number = 0;
    const timer = setInterval(() => stream.write(`data: ${number++}\n\n`), 100);
    stream.on("close", () => { clearInterval(timer); tell("closed", stream.rstCode); });
  },
  "/hints": (stream) => {
    stream.additionalHeaders({ ":status": 103, link: "</style.css>; rel=preload" });
    stream.respond({ ":status": 200 });
    stream.end("hinted\n");
  },
  "/refused-once": (stream) => {
    if (refusals++ % 2 === 0) return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    stream.respond({ ":status": 200 });
    stream.end(`${refusals}\n`);
  },
  "/reset": (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
  "/reset-later": (stream) => {
    stream.respond({ ":status": 200 });
    stream.write("some");
    setTimeout(() => stream.destroy(new Error("broken")), 200);
  },
  "/goaway": (stream) => {
    stream.respond({ ":status": 200 });
    stream.session.goaway(0, 2 ** 31 - 1);
    setTimeout(() => { stream.end("gone\n"); stream.session.close(); }, 300);
  },
  "/web": (stream, headers) => {
    stream.respond({ ":status": 200, "content-type": headers["content-type"] });
    stream.pipe(stream);
  },
  "/slow": (stream) => { setTimeout(() => { stream.respond({ ":status": 200 }); stream.end("slow\n"); }, 500); },
  "/no-body": (stream) => { stream.respond({ ":status": 304, "content-length": "100" }, { endStream: true }); },
};

server.on("session", (session) => {
  session.number = ++sessions;
  session.requests = 0;
  tell("session", session.number);
});
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  if (++stream.session.requests === requests) stream.session.close();
  if (headers[":method"] === "CONNECT") {
    stream.respond({ ":status": 200 });
    stream.pipe(stream);
    return;
  }
  const answer = paths[headers[":path"].split("?")[0]];
  if (answer) return answer(stream, headers);
  stream.respond({ ":status": 404 });
  stream.end("nothing\n");
});
server.listen(port, "127.0.0.1", () => tell("ready"));
