"""The stand-in for Cloudflare: its API about one zone, and an edge that caches."""
