"""Programs that try to break the library, and count what it survives."""
