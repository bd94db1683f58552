"""The declaration: parts, ranges, deferred Keras, the Pipeline class, overrides, loading a file."""
