"""The fit: compiling, the epochs, the standard callbacks, the saved state."""
