"""
What a Traffic Policy may do: one file an action, each with a provider of `ngrok_twisted.policy.interfaces.IActionKind`.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
