"""Finds what stands in the way of a safe start, and whether each part answers. Changes nothing."""
