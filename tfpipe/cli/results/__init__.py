"""Commands that look at what was trained."""
