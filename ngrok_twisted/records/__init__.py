"""
What can be configured: one file a resource family, each a frozen dataclass that extends `ngrok_twisted.records.base.Record`.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
