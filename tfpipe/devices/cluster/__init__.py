"""Several workers: who they are, how they meet, how they train together."""
