"""What proposes the values of trials: Keras Tuner's oracles, made to outlive any kill."""
