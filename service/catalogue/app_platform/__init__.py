"""DigitalOcean App Platform: a component's replicas and instance size."""
