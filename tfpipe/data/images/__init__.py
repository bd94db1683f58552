"""Images: files, decoding, resizing."""
