"""What every runtime can do: write a form to a file, and run the file."""

import abc
import contextlib
import importlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import absl.logging

from ddsp import files
from ddsp.playing.export.form import Arrays, Form
from ddsp.playing.export.stream_calls import Played, play


class Runtime(abc.ABC):
    """Something that runs exported files.

    Attributes:
      name: By which it is asked for.
      extra: Extra of this package to install for it; None if it needs none.
      modules: What it imports of other packages.
    """

    name: ClassVar[str]
    extra: ClassVar[str | None] = "export"
    modules: ClassVar[tuple[str, ...]] = ()

    def require(self) -> None:
        """Makes sure that it is installed.

        Raises:
          ImportError: If a package is missing; it names the extra to install.
        """
        for module in self.modules:
            self._require(module)

    def write(self, form: Form, folder: str | Path) -> str:
        """Writes a form, and beside it a description in JSON.

        Args:
          form: What to write.
          folder: Where; made when missing.

        Returns:
          The path of what was written.

        Raises:
          ImportError: If a package is missing; it names the extra to install.
          ValueError: If the form cannot be converted.
          OSError: If it cannot be written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with quiet():
            path = self._write(form, folder)
        files.write_text(
            str(folder / f"{form.name}.json"),
            json.dumps(form.describe(), indent=1) + "\n",
        )
        return str(path)

    def run(self, path: str, inputs: Arrays) -> dict[str, Any]:
        """Runs a written form once.

        Args:
          path: From `write`.
          inputs: Every input by name.

        Returns:
          Every output by name, state included.

        Raises:
          ImportError: If a package is missing; it names the extra to install.
        """
        played = self.play(path, [inputs])
        return {**played.outputs[0], **played.state}

    def play(self, path: str, calls: Sequence[Arrays]) -> Played:
        """Runs a written form call after call; see `playing.play`."""
        return play(self.load(path), calls)

    @abc.abstractmethod
    def load(self, path: str) -> Callable[[Arrays], dict[str, Any]]:
        """Loads a written form.

        Args:
          path: From `write`.

        Returns:
          A function from named arrays to named arrays.

        Raises:
          ImportError: If a package is missing; it names the extra to install.
        """

    @abc.abstractmethod
    def _write(self, form: Form, folder: Path) -> Path:
        """Writes a form alone."""

    def _require(self, module: str) -> Any:
        """Imports a module that only this runtime needs."""
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise ImportError(
                f"The format '{self.name}' needs the package of {module!r}: pip install"
                f" 'ddsp[{self.extra}]', got {error}."
            ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps away notices on gradients and interfaces, which nobody exports."""
    # TensorFlow itself puts back the verbosity that it finds, not the logger's level.
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.FATAL)
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        absl.logging.set_verbosity(verbosity)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
