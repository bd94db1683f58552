"""Networks that read sequences, and what continues a text with them."""
