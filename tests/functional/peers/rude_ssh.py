"""
An SSH client without manners: ``rude_ssh.py PORT KEY WHAT``.

It logs in properly with paramiko, does one thing that it should not, and prints how that ended: ``closed`` when the server
hung up, ``refused`` when it said no, ``alive`` when the connection still answers, else what went wrong.
"""

from __future__ import annotations

import logging
import socket
import struct
import sys
import time

import paramiko
from paramiko.common import cMSG_CHANNEL_DATA, cMSG_CHANNEL_OPEN, cMSG_CHANNEL_WINDOW_ADJUST, cMSG_GLOBAL_REQUEST
from paramiko.message import Message

logging.getLogger("paramiko").setLevel(logging.CRITICAL)


def message(kind: bytes, *parts: object) -> Message:
    """One SSH message: ``str`` and ``bytes`` become strings, ``int`` a uint32, ``bool`` a boolean."""
    made = Message()
    made.add_byte(kind)
    for part in parts:
        if isinstance(part, bool):
            made.add_boolean(part)
        elif isinstance(part, int):
            made.add_bytes(struct.pack("!I", part))
        else:
            made.add_string(part)
    return made


def channel_flood(transport: paramiko.Transport) -> None:
    """Thousands of session channels."""
    for number in range(3000):
        transport._send_message(message(cMSG_CHANNEL_OPEN, "session", number + 100, 2097152, 32768))


def strange_channels(transport: paramiko.Transport) -> None:
    """Channels of every kind that is not for clients, and of no kind at all."""
    for number, kind in enumerate(
        ("forwarded-tcpip", "x11", "auth-agent@openssh.com", "tun@openssh.com", "", "\x00" * 9)
    ):
        transport._send_message(message(cMSG_CHANNEL_OPEN, kind, number + 100, 2097152, 32768, "a", 1, "b", 2))


def request_flood(transport: paramiko.Transport) -> None:
    """Thousands of global requests that nobody knows."""
    for number in range(5000):
        transport._send_message(message(cMSG_GLOBAL_REQUEST, f"nonsense-{number}@example.com", True))


def forward_flood(transport: paramiko.Transport) -> None:
    """More forwards than anybody needs."""
    for number in range(500):
        transport._send_message(message(cMSG_GLOBAL_REQUEST, "tcpip-forward", True, f"flood{number}", 443))


def broken_forward(transport: paramiko.Transport) -> None:
    """A forward request that ends in the middle, and one with lengths that lie."""
    transport._send_message(message(cMSG_GLOBAL_REQUEST, "tcpip-forward", True))
    transport._send_message(message(cMSG_GLOBAL_REQUEST, "tcpip-forward", True, 0xFFFFFFFF, 443))
    transport._send_message(message(cMSG_GLOBAL_REQUEST, "cancel-tcpip-forward", True, "nobody", 443))


def unknown_channel(transport: paramiko.Transport) -> None:
    """Data for a channel that was never opened."""
    transport._send_message(message(cMSG_CHANNEL_DATA, 4711, b"hello"))


def window_lie(transport: paramiko.Transport) -> None:
    """A window that grows past four gigabytes."""
    channel = transport.open_session()
    for _ in range(4):
        transport._send_message(message(cMSG_CHANNEL_WINDOW_ADJUST, channel.remote_chanid, 0xFFFFFFFF))


def window_overrun(transport: paramiko.Transport) -> None:
    """Far more data than the server's window has room for."""
    channel = transport.open_session()
    for _ in range(2000):
        transport._send_message(message(cMSG_CHANNEL_DATA, channel.remote_chanid, b"x" * 32000))


def unknown_message(transport: paramiko.Transport) -> None:
    """Message numbers that do not exist: answered with UNIMPLEMENTED (RFC 4253 section 11.4)."""
    for number in (192, 200, 255):
        transport._send_message(message(bytes([number]), b"what"))


def empty_messages(transport: paramiko.Transport) -> None:
    """Every message of the connection protocol, with nothing in it."""
    for number in range(80, 101):
        transport._send_message(message(bytes([number])))


def login_again(transport: paramiko.Transport) -> None:
    """Authentication messages after authentication: ignored (RFC 4252 section 5.1)."""
    transport._send_message(message(b"\x32", "root", "ssh-connection", "none"))


def long_command(transport: paramiko.Transport) -> None:
    """A command of a hundred kilobytes."""
    transport.open_session().exec_command("http --description " + "x" * 100_000)


def environment_flood(transport: paramiko.Transport) -> None:
    """A session that talks of its environment and its terminal for ever."""
    channel = transport.open_session()
    for number in range(2000):
        transport._send_message(message(b"\x62", channel.remote_chanid, "env", False, f"N{number}", "v" * 1000))
    channel.get_pty("t" * 10000, 2**31, 2**31)


def still_there(transport: paramiko.Transport) -> str:
    """Whether the connection answers a question."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if not transport.is_active():
            return "closed"
        try:
            channel = transport.open_session(timeout=5)
            channel.exec_command("http --help")
            return "alive" if channel.recv(10) else "refused"
        except paramiko.ChannelException:
            return "refused"
        except (paramiko.SSHException, OSError, EOFError):
            time.sleep(0.2)
    return "closed" if not transport.is_active() else "hanging"


def main() -> None:
    """Log in, be rude, tell."""
    port, key, what = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", port), 10))
    transport.connect(username="v2", pkey=paramiko.Ed25519Key.from_private_key_file(key))
    try:
        globals()[what](transport)
    except (paramiko.SSHException, OSError, EOFError):
        pass
    print(still_there(transport))
    transport.close()


main()
