"""How fast, how lean and how exact this library is, next to a plain implementation."""
