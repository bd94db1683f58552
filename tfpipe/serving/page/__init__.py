"""The page to try models on: what a browser gets, and what the server tells it of the models."""
