"""
Where certificates for names without an uploaded one come from: one file each, found by the value of ``tls.issuer``.
"""

from twisted.plugin import pluginPackagePaths

__path__.extend(pluginPackagePaths(__name__))
