"""Looking at data before a model does: what is in it, what is twice, what gives the answer away."""
