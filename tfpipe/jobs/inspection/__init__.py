"""The images that a model is inspected with."""
