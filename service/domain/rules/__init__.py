"""Rules: targets and actions as they are configured, and which rule an alert earns."""
