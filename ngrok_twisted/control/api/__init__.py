"""
The management API: ngrok's own resources over HTTP, on the records of this server.

``resources/`` holds one file a resource; everything else is what they share. A resource is pure: it reads snapshots and
says which records to write. `ngrok_twisted.control.service.Control.change` checks and writes them.
"""
