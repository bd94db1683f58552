"""SavedModels: written whole or not at all, and proven equal to the model that was trained."""
