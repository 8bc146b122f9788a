"""The stand-in for Slack's web API."""
