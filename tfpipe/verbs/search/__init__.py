"""`tfpipe search`: what may be searched, the search, and how it is told."""
