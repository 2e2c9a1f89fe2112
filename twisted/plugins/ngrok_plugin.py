"""
The line that gives ``twistd`` its ``ngrok`` command.
"""

from twisted.application.service import ServiceMaker

ngrok = ServiceMaker("ngrok", "ngrok_twisted.tap", "An ngrok cloud edge: public URLs for ssh -R and agents.", "ngrok")
