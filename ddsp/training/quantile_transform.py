"""Values to quantiles of a sample and back."""

from typing import Any

import numpy as np
from scipy import stats

# Probability beyond which the normal distribution is cut off.
_TAIL = 1e-7


class QuantileTransformer:
    """Maps values to the quantile they hold in a sample, and back.

    The empirical distribution function, interpolated linearly between
    `n_quantiles` points; at repeated values the middle of the jump. Each column is
    mapped alone. Values outside the sample map to its ends.
    """

    def __init__(
        self, n_quantiles=1000, output_distribution="uniform", subsample=100000
    ):
        """Constructor.

        Args:
          n_quantiles: Points kept of the distribution function; no more than there
            are values.
          output_distribution: 'uniform' (0 to 1) or 'normal' (standard normal,
            within +-5.2 standard deviations).
          subsample: Fit at most this many values, evenly spaced in the sample.

        Raises:
          ValueError: If the distribution is unknown or a count is below 1.
        """
        if output_distribution not in ("uniform", "normal"):
            raise ValueError(
                "`output_distribution` must be 'uniform' or 'normal', got "
                f"{output_distribution!r}."
            )
        if min(n_quantiles, subsample) < 1:
            raise ValueError(
                "`n_quantiles` and `subsample` must be at least 1, got "
                f"{n_quantiles} and {subsample}."
            )
        self.n_quantiles = n_quantiles
        self.output_distribution = output_distribution
        self.subsample = subsample
        self.quantiles_: np.ndarray | None = None

    def fit(self, x):
        """Takes the distribution from a sample.

        Args:
          x: [n_values] or [n_values, n_columns], finite.

        Returns:
          The transformer itself.

        Raises:
          ValueError: If the sample is empty or not finite.
        """
        x = _columns(x)
        if not len(x):
            raise ValueError("Quantiles need at least one value, got none.")
        if not np.all(np.isfinite(x)):
            raise ValueError("Quantiles need finite values, got NaN or infinity.")
        if len(x) > self.subsample:
            x = x[np.linspace(0, len(x) - 1, self.subsample).astype(int)]
        n_points = min(self.n_quantiles, len(x))
        self.quantiles_ = np.quantile(x, _levels(n_points), axis=0)
        return self

    def transform(self, x):
        """Values to quantiles.

        Args:
          x: [n_values] or [n_values, n_columns].

        Returns:
          Quantiles of the shape of `x`, 0 to 1, or standard normal.

        Raises:
          ValueError: If not fitted, or if the number of columns differs.
        """
        quantiles = self._fitted(x)
        levels = _levels(len(quantiles))
        y = np.empty_like(_columns(x))
        for y_column, column, points in zip(
            y.T, _columns(x).T, quantiles.T, strict=True
        ):
            # Of a run of equal points `interp` takes one end; seen from the other
            # side it takes the other.
            below = np.interp(column, points, levels)
            above = 1.0 - np.interp(-column, -points[::-1], levels)
            y_column[:] = 0.5 * (below + above)
            y_column[column <= points[0]] = 0.0
            y_column[column >= points[-1]] = 1.0
        if self.output_distribution == "normal":
            y = stats.norm.ppf(np.clip(y, _TAIL, 1.0 - _TAIL))
        return y.reshape(np.shape(x))

    def inverse_transform(self, x):
        """Quantiles to values.

        Args:
          x: Quantiles as `transform` returns them.

        Returns:
          Values of the shape of `x`, within the range of the sample.

        Raises:
          ValueError: If not fitted, or if the number of columns differs.
        """
        quantiles = self._fitted(x)
        levels = _levels(len(quantiles))
        y = _columns(x)
        if self.output_distribution == "normal":
            y = stats.norm.cdf(y)
            # What `transform` clipped came from the ends.
            y = np.where(y < 2.0 * _TAIL, 0.0, np.where(y > 1.0 - 2.0 * _TAIL, 1.0, y))
        values = [
            np.interp(column, levels, points)
            for column, points in zip(y.T, quantiles.T, strict=True)
        ]
        return np.stack(values, axis=-1).reshape(np.shape(x))

    def fit_transform(self, x):
        """`fit`, then `transform` of the same values."""
        return self.fit(x).transform(x)

    def to_dict(self) -> dict[str, Any]:
        """Settings and quantiles as plain numbers and lists, for JSON."""
        return {
            "n_quantiles": self.n_quantiles,
            "output_distribution": self.output_distribution,
            "subsample": self.subsample,
            "quantiles": None
            if self.quantiles_ is None
            else np.asarray(self.quantiles_).tolist(),
        }

    @classmethod
    def from_dict(cls, contents: dict[str, Any]) -> "QuantileTransformer":
        """The transformer that `to_dict` described.

        Raises:
          ValueError: If the quantiles are no finite, ascending columns.
          TypeError: If there are unknown settings.
        """
        settings = dict(contents)
        quantiles = settings.pop("quantiles")
        transformer = cls(**settings)
        if quantiles is not None:
            array = np.asarray(quantiles, dtype=np.float64)
            if (
                array.ndim != 2
                or not array.size
                or not np.all(np.isfinite(array))
                or np.any(np.diff(array, axis=0) < 0.0)
            ):
                raise ValueError(
                    "Quantiles must be finite, ascending columns, got shape "
                    f"{array.shape}."
                )
            transformer.quantiles_ = array
        return transformer

    def _fitted(self, x) -> np.ndarray:
        if self.quantiles_ is None:
            raise ValueError("Call `fit` before transforming.")
        n_columns = _columns(x).shape[1]
        if n_columns != self.quantiles_.shape[1]:
            raise ValueError(
                f"Fitted to {self.quantiles_.shape[1]} column(s), got {n_columns}."
            )
        return self.quantiles_


def _columns(x) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim not in (1, 2):
        raise ValueError(
            f"Values must be [n_values] or [n_values, n_columns], got {x.shape}."
        )
    return x[:, np.newaxis] if x.ndim == 1 else x


def _levels(n_points: int) -> np.ndarray:
    return np.linspace(0.0, 1.0, n_points)
