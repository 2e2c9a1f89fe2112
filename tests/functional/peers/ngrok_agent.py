"""
ngrok's Python SDK, unmodified, as its users call it; run by the interpreter of a virtual environment that holds it.

The only argument is a plan in JSON::

    {"server_addr": "127.0.0.1:4443", "root_cas": "ca.pem", "authtoken": "…", "session": [["metadata", "m"]],
     "endpoints": [{"kind": "http", "to": "http://127.0.0.1:3000", "options": [["domain", "app.example.com"]]}]}

``session`` and ``options`` are methods of the SDK's builders with their arguments. What happens is told as one JSON object a
line on standard output. Of the lines on standard input, ``open`` with a plan opens an endpoint, ``close N`` closes one, and
``end`` the session; the end of input ends the session and the program.
"""

import asyncio
import json
import sys

import ngrok

KINDS = {"http": "http_endpoint", "tcp": "tcp_endpoint", "tls": "tls_endpoint", "labeled": "labeled_listener"}

# Arguments that the SDK wants as bytes.
BYTES = {"ca_cert", "mutual_tlsca", "termination"}


def tell(event, **fields):
    """One line for the test."""
    print(json.dumps({"event": event, **fields}), flush=True)


def refused(error):
    """What the user sees of a refusal: message and code are arguments of the exception."""
    words = [str(word) for word in error.args]
    tell("refused", what=words[0] if words else "", message=" ".join(words[1:2]), code=" ".join(words[2:3]))


def built(builder, options):
    """Call the builder's methods."""
    for name, *arguments in options:
        if name in BYTES:
            arguments = [bytearray(argument, "utf-8") for argument in arguments]
        getattr(builder, name)(*arguments)
    return builder


def command(name):
    """A callback for an order from the server."""

    def called(*arguments):
        details = {}
        for argument in arguments:
            for field in ("version", "permit_major_version"):
                if hasattr(argument, field):
                    details[field] = getattr(argument, field)
        tell("command", command=name, **details)

    return called


async def publish(session, number, plan):
    """Bring one endpoint online."""
    builder = built(getattr(session, KINDS[plan["kind"]])(), plan.get("options", ()))
    try:
        listener = await builder.listen_and_forward(plan["to"])
    except ValueError as error:
        refused(error)
        return None
    tell("online", number=number, url=listener.url() or "", id=listener.id(), metadata=listener.metadata())
    return listener


async def main(plan):
    """Follow the plan, then the lines on standard input."""
    builder = ngrok.SessionBuilder().authtoken(plan["authtoken"]).server_addr(plan["server_addr"])
    builder.root_cas(plan["root_cas"])
    for name in ("stop", "restart", "update"):
        if name in plan.get("commands", ()):
            getattr(builder, f"handle_{name}_command")(command(name))
    builder.handle_disconnection(lambda *_: tell("disconnected") or True)
    built(builder, plan.get("session", ()))
    try:
        session = await builder.connect()
    except ValueError as error:
        refused(error)
        return
    tell("connected")
    listeners = {}
    for number, endpoint in enumerate(plan["endpoints"]):
        listeners[number] = await publish(session, number, endpoint)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        words = line.split()
        if words[0] == "close":
            await listeners.pop(int(words[1])).close()
            tell("closed", number=int(words[1]))
        elif words[0] == "open":
            number = len(plan["endpoints"])
            plan["endpoints"].append(json.loads(line.partition(" ")[2]))
            listeners[number] = await publish(session, number, plan["endpoints"][number])
        elif words[0] == "end":
            await session.close()
            tell("ended")
    await session.close()
    tell("ended")


asyncio.run(main(json.loads(sys.argv[1])))
