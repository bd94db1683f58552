"""What a model generates while it is trained: texts, pictures."""
