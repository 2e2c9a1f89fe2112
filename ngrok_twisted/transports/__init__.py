"""
How bytes reach an agent: one folder a transport, each with a provider of `ngrok_twisted.interfaces.ITransportKind` in its
``kind.py``.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
