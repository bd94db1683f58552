"""Metrics that Keras does not have. Keras comes with them, so tasks import them when asked."""
