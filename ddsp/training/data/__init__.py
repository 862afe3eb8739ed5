"""Data providers: the sources of training and evaluation examples."""

from ddsp.training.data.legacy import LegacyTFRecordProvider
from ddsp.training.data.manifest import Manifest
from ddsp.training.data.multi import BaseMultiProvider, MixedProvider, ZippedProvider
from ddsp.training.data.provider import DataProvider
from ddsp.training.data.saved import ExperimentalDataProvider
from ddsp.training.data.synthetic_notes import SyntheticNotes
from ddsp.training.data.tfds import NSynthTfds, TfdsProvider
from ddsp.training.data.tfrecord import TFRecordProvider
from ddsp.training.data.urmp import Urmp, UrmpMidi, UrmpMidiUnsegmented

__all__ = [
    "BaseMultiProvider",
    "DataProvider",
    "ExperimentalDataProvider",
    "LegacyTFRecordProvider",
    "Manifest",
    "MixedProvider",
    "NSynthTfds",
    "SyntheticNotes",
    "TFRecordProvider",
    "TfdsProvider",
    "Urmp",
    "UrmpMidi",
    "UrmpMidiUnsegmented",
    "ZippedProvider",
]
