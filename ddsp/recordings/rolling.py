"""Forward random access to a stream of blocks."""

from collections.abc import Iterable

import numpy as np


class RollingReader:
    """Reads slices of the concatenation of blocks, holding only what is needed.

    Args:
      blocks: Arrays [n, ...], equal but for `n`.
      row_shape: Shape of one row, `()` for blocks [n].

    Example:

    >>> from ddsp.recordings.rolling import RollingReader
    >>> reader = RollingReader([np.arange(3.0), np.arange(3.0, 6.0)])
    >>> reader.read(2, 4)
    array([2., 3.])
    """

    def __init__(self, blocks: Iterable[np.ndarray], row_shape: tuple[int, ...] = ()):
        self._blocks = iter(blocks)
        self._rows = np.zeros((0, *row_shape), np.float32)
        self._first = 0

    def read(self, start: int, stop: int) -> np.ndarray:
        """Returns rows [start, stop), zeros before the first and after the last.

        Args:
          start: May be negative. What lies before it is forgotten, so it must not
            be lower than in the call before.
          stop: At least `start`.

        Returns:
          [stop - start, ...], float32.
        """
        self._advance(start, stop)
        inside = self._rows[max(start - self._first, 0) : stop - self._first]
        before = min(max(-start, 0), stop - start)
        after = stop - start - before - len(inside)
        padding = [(before, after)] + [(0, 0)] * (inside.ndim - 1)
        return np.pad(inside, padding)

    def _advance(self, start: int, stop: int) -> None:
        rows = [self._rows]
        end = self._first + len(self._rows)
        while end < stop:
            block = next(self._blocks, None)
            if block is None:
                break
            rows.append(block)
            end += len(block)
        joined = np.concatenate(rows) if len(rows) > 1 else self._rows
        passed = min(max(start - self._first, 0), len(joined))
        self._rows = joined[passed:]
        self._first += passed
