"""The command under the original's name; it lives in `ddsp.commands`."""

from ddsp.commands.ddsp_prepare_tfrecord import console_entry_point, main

__all__ = ["console_entry_point", "main"]

if __name__ == "__main__":
    console_entry_point()
