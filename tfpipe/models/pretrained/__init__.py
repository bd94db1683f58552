"""Pretrained networks: Keras Applications, TensorFlow Hub, their weights and input contracts."""
