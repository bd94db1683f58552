"""Verbs that put an exported model to work."""
