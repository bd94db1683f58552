"""Models that are ready to predict: the best one of a run, or one that needs no training."""
