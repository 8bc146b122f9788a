"""The stand-in for DigitalOcean: apps, droplets, sizes."""
