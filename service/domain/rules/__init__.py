"""Rules as they are configured, and which rule an alert earns."""
