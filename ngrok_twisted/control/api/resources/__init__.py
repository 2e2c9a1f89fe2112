"""
The resources of the API, one file each; every file provides `ngrok_twisted.interfaces.IAPIResource`.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
