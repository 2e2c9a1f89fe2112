"""
What may happen to traffic on its way: one file a module, each with a provider of `ngrok_twisted.interfaces.IModuleKind`.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
