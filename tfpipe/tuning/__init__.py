"""The search for good values: declared ranges, Keras Tuner, and what the trials showed."""
