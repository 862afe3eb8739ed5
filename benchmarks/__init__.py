"""Time, memory and error, compared with a plain implementation."""
