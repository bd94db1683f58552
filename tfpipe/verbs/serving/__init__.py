"""The verbs that put a model to work: one file each."""
