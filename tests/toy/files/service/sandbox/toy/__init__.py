"""The stand-in for the balloon vendor."""
