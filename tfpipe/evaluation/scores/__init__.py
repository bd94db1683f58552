"""What answers are worth: figures of a split, each equal to scikit-learn's where it has them."""
