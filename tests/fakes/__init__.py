"""Fakes of the ports that hold state: tests look at how the cloud ended up, not at calls."""
