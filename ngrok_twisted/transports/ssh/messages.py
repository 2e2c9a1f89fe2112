"""
The numbers of the messages of ``ssh-connection``, RFC 4254 section 9, without their ``SSH_MSG_``, and what never changes in
them.
"""

from twisted.conch.ssh.common import NS

GLOBAL_REQUEST = 80
REQUEST_SUCCESS = 81
REQUEST_FAILURE = 82
CHANNEL_OPEN = 90
CHANNEL_OPEN_CONFIRMATION = 91
CHANNEL_OPEN_FAILURE = 92
CHANNEL_EXTENDED_DATA = 95
CHANNEL_EOF = 96
CHANNEL_CLOSE = 97
CHANNEL_REQUEST = 98
CHANNEL_SUCCESS = 99
CHANNEL_FAILURE = 100

# RFC 4254 section 5.1.
ADMINISTRATIVELY_PROHIBITED = 1
UNKNOWN_CHANNEL_TYPE = 3
RESOURCE_SHORTAGE = 4

# RFC 4254 section 5.2: a window never grows past this.
MAX_WINDOW = 0xFFFFFFFF

# OpenSSH's PROTOCOL sections 2.5 and 3: the start of what announces host keys, and what asks for a sign of life.
HOST_KEYS = bytes((GLOBAL_REQUEST,)) + NS(b"hostkeys-00@openssh.com") + b"\0"
KEEPALIVE = bytes((GLOBAL_REQUEST,)) + NS(b"keepalive@openssh.com") + b"\1"

# RFC 4254 section 7.2: the start of what opens a channel for a visitor.
OPEN_FORWARDED = bytes((CHANNEL_OPEN,)) + NS(b"forwarded-tcpip")
