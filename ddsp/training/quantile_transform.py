"""scikit-learn's quantile transform under the original's signature, stored as JSON.

The original kept its own copy of the class and pickled it. Pickles can run code, so the
fitted quantiles are stored as plain numbers instead.
"""

from typing import Any

import numpy as np
from sklearn import preprocessing

from ddsp.types import ArrayLike

# Where scikit-learn clips the normal distribution: the quantile of 1 - 1e-7.
_NORMAL_END = 5.199337582605575


class QuantileTransformer:
    """Maps values to their quantiles in a sample, and back.

    The mapping is that of `sklearn.preprocessing.QuantileTransformer`: the empirical
    distribution function of each column, interpolated linearly. Values outside the
    sample map to its ends. Here a single column may also be one-dimensional.

    Attributes:
      n_quantiles: Largest number of points kept of the distribution function.
      output_distribution: 'uniform' or 'normal'.
      subsample: Largest number of values to fit.

    Example:

    >>> from ddsp.training.postprocessing import QuantileTransformer
    >>> transformer = QuantileTransformer().fit([-40.0, -30.0, -10.0])
    >>> transformer.transform([-40.0, -35.0, -10.0])
    array([0.  , 0.25, 1.  ])
    >>> transformer.inverse_transform([0.5])
    array([-30.])
    """

    def __init__(
        self,
        n_quantiles: int = 1000,
        output_distribution: str = "uniform",
        subsample: int = 100000,
    ):
        """Initializes the transformer.

        Args:
          n_quantiles: Points kept of the distribution function, ≥ 1; at most the
            number of values.
          output_distribution: 'uniform' (0 to 1) or 'normal' (standard normal,
            within ±5.2 standard deviations).
          subsample: Largest number of values to fit, ≥ 1. A larger sample is thinned
            evenly, so the result does not depend on a random generator.

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
        self._transformer: preprocessing.QuantileTransformer | None = None

    @property
    def quantiles_(self) -> np.ndarray | None:
        """Quantiles of the sample, [n_points, n_columns]; None before `fit`."""
        return None if self._transformer is None else self._transformer.quantiles_

    def fit(self, x: ArrayLike) -> "QuantileTransformer":
        """Estimates the distribution of a sample.

        Args:
          x: Values, shape [n_values] or [n_values, n_columns], finite.

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
        self._transformer = self._unfitted(n_points, len(x)).fit(x)
        return self

    def transform(self, x: ArrayLike) -> np.ndarray:
        """Maps values to quantiles.

        Args:
          x: Values, shape [n_values] or [n_values, n_columns], finite.

        Returns:
          Quantiles of the shape of `x`, 0 to 1, or standard normal.

        Raises:
          ValueError: If the transformer is not fitted or the number of columns differs.
        """
        columns = _columns(x)
        transformer = self._fitted(columns)
        y = transformer.transform(columns)
        # scikit-learn maps a constant sample to the lower end.
        first, last = transformer.quantiles_[[0, -1]]
        top = 1.0 if self.output_distribution == "uniform" else _NORMAL_END
        y = np.where((first == last) & (columns >= last), top, y)
        return y.reshape(np.shape(x))

    def inverse_transform(self, x: ArrayLike) -> np.ndarray:
        """Maps quantiles to values.

        Args:
          x: Quantiles as `transform` returns them.

        Returns:
          Values of the shape of `x`, within the range of the sample.

        Raises:
          ValueError: If the transformer is not fitted or the number of columns differs.
        """
        columns = _columns(x)
        return self._fitted(columns).inverse_transform(columns).reshape(np.shape(x))

    def fit_transform(self, x: ArrayLike) -> np.ndarray:
        """Fits a sample and maps it to quantiles; see `fit` and `transform`."""
        return self.fit(x).transform(x)

    def to_dict(self) -> dict[str, Any]:
        """Returns settings and quantiles as plain numbers and lists, for JSON."""
        return {
            "n_quantiles": self.n_quantiles,
            "output_distribution": self.output_distribution,
            "subsample": self.subsample,
            "quantiles": None if self.quantiles_ is None else self.quantiles_.tolist(),
        }

    @classmethod
    def from_dict(cls, contents: dict[str, Any]) -> "QuantileTransformer":
        """Restores the transformer that `to_dict` described.

        Raises:
          ValueError: If the quantiles are not finite, ascending columns.
          TypeError: If there are unknown settings.
        """
        settings = dict(contents)
        quantiles = settings.pop("quantiles")
        transformer = cls(**settings)
        if quantiles is not None:
            transformer._restore(np.asarray(quantiles, dtype=np.float64))
        return transformer

    def _restore(self, quantiles: np.ndarray) -> None:
        if (
            quantiles.ndim != 2
            or not quantiles.size
            or not np.all(np.isfinite(quantiles))
            or np.any(np.diff(quantiles, axis=0) < 0.0)
        ):
            raise ValueError(
                "Quantiles must be finite, ascending columns, got shape "
                f"{quantiles.shape}."
            )
        n_points, n_columns = quantiles.shape
        transformer = self._unfitted(n_points, n_points)
        # The attributes that scikit-learn documents as the result of fitting.
        transformer.quantiles_ = quantiles
        transformer.references_ = np.linspace(0.0, 1.0, n_points)
        transformer.n_quantiles_ = n_points
        transformer.n_features_in_ = n_columns
        self._transformer = transformer

    def _unfitted(
        self, n_points: int, n_values: int
    ) -> preprocessing.QuantileTransformer:
        # scikit-learn draws at random from more than `subsample` values.
        return preprocessing.QuantileTransformer(
            n_quantiles=n_points,
            output_distribution=self.output_distribution,
            subsample=n_values,
        )

    def _fitted(self, columns: np.ndarray) -> preprocessing.QuantileTransformer:
        if self._transformer is None:
            raise ValueError("Call `fit` before transforming.")
        n_columns = self._transformer.n_features_in_
        if columns.shape[1] != n_columns:
            raise ValueError(
                f"The transformer has {n_columns} column(s), got {columns.shape[1]}."
            )
        return self._transformer


def _columns(x: ArrayLike) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    if x.ndim not in (1, 2):
        raise ValueError(
            "Values must have shape [n_values] or [n_values, n_columns], got "
            f"{x.shape}."
        )
    return x[:, np.newaxis] if x.ndim == 1 else x
