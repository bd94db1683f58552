"""The two protocols that the server speaks: JSON and tensors, questions and answers."""
