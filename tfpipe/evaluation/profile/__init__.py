"""Where the time of a training step goes: its parts, its operations, and what the machine can do."""
