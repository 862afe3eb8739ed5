"""Bundles: a trained model in one directory that can be given away.

| file | what it is |
| --- | --- |
| `bundle.json` | rates, pitch tracker, license, attribution, versions, exports, and the SHA-256 of every other file |
| `README.md` | the model card |
| `config.gin`, `weights.npz` | the model, without what only training needs |
| `dataset_statistics.json` | what it was trained on, to adjust features to it |
| `test_vector.npz` | input, noise and expected output; `.wav` and `.png` to hear and see it |
| a folder for each export | what `ddsp_export --formats` wrote |
"""  # noqa: E501

from ddsp.playing.bundle.bundle_loading import Bundle, load
from ddsp.playing.bundle.bundle_manifest import (
    FORMAT_VERSION,
    BundleManifest,
    is_bundle,
)
from ddsp.playing.bundle.vector import Vector
from ddsp.playing.bundle.writing import Draft, create, write

__all__ = [
    "FORMAT_VERSION",
    "Bundle",
    "BundleManifest",
    "Draft",
    "Vector",
    "create",
    "is_bundle",
    "load",
    "write",
]
