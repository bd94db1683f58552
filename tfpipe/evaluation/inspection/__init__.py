"""What each layer of a small image classifier makes of an image, as one page."""
