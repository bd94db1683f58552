"""`tfpipe runs`: listing, showing, comparing and removing what was run."""
