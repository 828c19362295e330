"""What this machine manages: trial steps, and the number of threads."""
