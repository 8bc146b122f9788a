"""A machine with nginx: its files, and the configuration by which it works."""
