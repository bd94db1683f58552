"""Where the time of a training step goes: its parts, its operations, the machine's limit."""
