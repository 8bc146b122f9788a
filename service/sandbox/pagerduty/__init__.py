"""The stand-in for PagerDuty's events API."""
