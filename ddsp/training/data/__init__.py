"""Where training and evaluation take their examples from."""

from ddsp.training.data.manifest import Manifest
from ddsp.training.data.provider import DataProvider
from ddsp.training.data.tfrecord import TFRecordProvider

__all__ = ["DataProvider", "Manifest", "TFRecordProvider"]
