"""
An ngrok cloud edge that anyone can host, on Twisted.

The map of this tree; ``docs/architecture.md`` is the plan with the reasons.

- the vocabulary: `interfaces`, `records`, `schema`, `kinds`, `flow`, `claim`, `errors`, `wrapper`, `hostnames`
- the way in: `edge` (a connection finds its edge), `modules` (what may happen on the way), `backends` (who should
  answer), `upstream` (asking them), `tunnels` (the live table), `transports` (how bytes reach an agent)
- machinery: `net` (byte transports), `tls` (certificates), `observability` (logs and events)
- the control plane: `control` (records, reservations, configuration), `iam` (credentials and principals)
- `tap` puts it together for ``twistd``: `serving` is what every process does, `crew` has more of them work as one server
- `testing` helps those who write kinds
"""

__version__ = "0.1.0"
