"""What answers go by: places of an image, words of a text, columns of a table."""
