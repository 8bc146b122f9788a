"""What may ask for a run: today alerts."""
