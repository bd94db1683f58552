"""Networks of convolutions, one builder a file."""
