"""What stands in the way of a safe start, and what answers. It looks, and changes nothing."""
