"""Capacity: whose change of a target wins, and sizes that the vendor refused."""
