"""
Where events can be sent: one file a target, each with a provider of
`ngrok_twisted.observability.interfaces.IEventDestinationKind`.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
