"""Run directories: names, status, records, what changed between two."""
