"""The command line: python -m headrace."""
