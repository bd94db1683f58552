"""What can be done with a pipeline: the functions behind the command line and behind Python."""
