"""
The product, entered by ngrok-go instead of ``ssh -R``.
"""

from __future__ import annotations

from benchmarks.agents import GoSDK
from benchmarks.arms.agent_python import PythonAgentArm


class GoAgentArm(PythonAgentArm):
    """``twistd -n ngrok``, one process, and another of ngrok's families of agents."""

    label = "agent-go"
    role = "twistd ngrok, one process, entered by ngrok-go 2.1.4"
    agent = GoSDK()
