"""What is said in Slack and at the pager. Pure: it sends nothing."""
