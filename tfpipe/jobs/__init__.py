"""A job in a run directory: its plan, its execution, its restoration."""
