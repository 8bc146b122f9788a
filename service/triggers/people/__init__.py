"""What people tell runbookd to do: one verb each, checked, audited, and queued or put in force."""
