"""The parts of the benchmark; each gives lines of the table."""
