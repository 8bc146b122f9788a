"""What every stand-in vendor shares: wire, faults, limits, records. It knows no vendor."""
