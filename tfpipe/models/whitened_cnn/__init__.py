"""WhitenedCNN: its builder, the patches it whitens, and the layers that Keras lacks."""
