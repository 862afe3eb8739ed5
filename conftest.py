"""Names that the examples in docstrings use without importing them."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import ddsp

# Commands define flags when imported, some by the same names.
collect_ignore_glob = [
    "ddsp/commands/*",
    "ddsp/training/ddsp_*.py",
    "ddsp/training/data_preparation/ddsp_*.py",
]


@pytest.fixture(autouse=True)
def names_of_examples(
    request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]
) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        tmp_path = request.getfixturevalue("tmp_path")
        doctest_namespace.update(ddsp=ddsp, np=np, tf=tf, tmp_path=tmp_path)
