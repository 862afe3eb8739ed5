"""The command under the original's name; it lives in `ddsp.commands`."""

from ddsp.commands.ddsp_run import (
    allow_memory_growth,
    console_entry_point,
    delay_start,
    main,
    parse_gin,
)

__all__ = [
    "allow_memory_growth",
    "console_entry_point",
    "delay_start",
    "main",
    "parse_gin",
]

if __name__ == "__main__":
    console_entry_point()
