"""nginx: a file that balances requests over servers."""
