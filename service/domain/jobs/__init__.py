"""Jobs: chores that are done again and again, at the times that a cron expression names."""
