"""The command-line programs, one to a file."""
