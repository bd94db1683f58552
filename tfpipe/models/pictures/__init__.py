"""Models whose one weight is a picture, which training paints."""
