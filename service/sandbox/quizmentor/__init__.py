"""The stand-in for the application whose capacity is scaled: its load and its metrics."""
