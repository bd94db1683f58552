"""Images with boxes as sources: one file for each way in which annotations are written."""
