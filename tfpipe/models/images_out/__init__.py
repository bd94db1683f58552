"""Networks that answer with an image: enlarged, repaired, repainted."""
