"""Money: what is billed, what runs now, and what the month comes to."""
