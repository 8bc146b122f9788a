"""What the steps of every kind share: writes that take effect once, waits, health, times."""
