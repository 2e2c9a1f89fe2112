"""
Where records live: one file a store, each with a provider of `ngrok_twisted.interfaces.IStoreKind`.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
