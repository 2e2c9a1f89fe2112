"""
Who should answer: one file a backend, each with a provider of `ngrok_twisted.interfaces.IBackendKind`.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
