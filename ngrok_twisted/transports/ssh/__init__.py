"""SSH reverse tunnels: ``ssh -R`` of any SSH client."""
