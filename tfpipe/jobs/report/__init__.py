"""The report of a trained model: its answers are kept, judged, and shown in report/."""
