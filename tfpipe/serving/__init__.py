"""The server of exported models: it imports no training code and no Keras."""
