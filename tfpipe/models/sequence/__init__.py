"""Networks that read one thing after the other: characters, words, values of a series."""
