"""The agent protocol: ngrok's own agents and SDKs connect unmodified."""
