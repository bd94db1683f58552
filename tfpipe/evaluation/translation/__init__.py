"""Translations: what a trained model says of sentences, how good that is, and how it is shown."""
