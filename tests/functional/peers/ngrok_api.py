"""
ngrok's own Python client, told what to do by lines of JSON on its standard input: ``{"call": "vaults.create", "given":
{…}}``. Each is answered by one line: ``{"result": …}`` or ``{"error": {…}}``.

Usage: ngrok_api.py BASE_URL; the API key is in the environment variable ``API_KEY``.
"""

import inspect
import json
import os
import sys

import ngrok


def plain(value):
    """JSON-shaped data from what the client gives back, read through its own properties where it has some."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    names = [name for name in vars(type(value)) if isinstance(getattr(type(value), name), property)]
    return {name: plain(getattr(value, name)) for name in names}


class Typed:
    """Stands for one of the client's own classes, which it takes apart again by this attribute."""

    def __init__(self, props):
        self._props = props


def typed(method, given):
    """The arguments of a method, as objects where it wants objects."""
    wanted = {name: str(item.annotation) for name, item in inspect.signature(method).parameters.items()}
    return {name: value if wanted[name].startswith("Mapping") else wrapped(value) for name, value in given.items()}


def wrapped(value):
    """A mapping, or each mapping in a list, as an object."""
    if isinstance(value, list):
        return [wrapped(item) for item in value]
    return Typed(value) if isinstance(value, dict) else value


def perform(client, call, given):
    """One call; lists are read to their end."""
    target = client
    for name in call.split("."):
        target = getattr(target, name)
    result = target(**typed(target, given))
    if hasattr(result, "__iter__") and call.endswith(".list"):
        return [plain(item) for item in items(client, result)]
    return plain(result)


def items(client, first):
    """Every item of every page."""
    iterator = iter(first)
    while True:
        try:
            yield next(iterator)
        except StopIteration:
            return


def main():
    client = ngrok.Client(os.environ["API_KEY"], base_url=sys.argv[1])
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"result": perform(client, asked["call"], asked["given"])}
        except ngrok.error.Error as error:
            answer = {"error": {"status": error.http_status_code, "code": error.error_code, "message": str(error)}}
        except Exception as error:
            answer = {"error": {"status": 0, "code": type(error).__name__, "message": repr(error)}}
        print(json.dumps(answer), flush=True)


main()
