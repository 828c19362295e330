"""What of the machine is left to this process: memory, and refusing what would not fit."""
