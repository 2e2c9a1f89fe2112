"""
What must hold for a record among the others, one file a family, whether it was declared in ``config.yaml`` or posted to the
API. Every file provides `ngrok_twisted.interfaces.IRecordRules`.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
