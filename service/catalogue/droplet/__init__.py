"""DigitalOcean droplets: snapshot, off, resized, on again, checked."""
