"""The browser: the ONNX file in onnxruntime-web, with a page that plays it."""

import os
import shutil
from importlib import resources
from pathlib import Path

import numpy as np

from ddsp.playing.export import browser
from ddsp.playing.export.form import Form
from ddsp.playing.export.onnx_file import Onnx
from ddsp.playing.export.stream_calls import Played

# Where the npm package is looked for, beside the working folder's `node_modules`.
PACKAGE_VARIABLE = "DDSP_ONNXRUNTIME_WEB"
_PACKAGE = Path("node_modules", "onnxruntime-web")
_RUNTIME = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
_PAGE = ("form.mjs", "index.html", "page.mjs")


class Web(Onnx):
    """Writes a folder to be served: the ONNX file, its runtime, and a page.

    A call is made in headless Chromium, which starts anew for each list of them.
    """

    name = "web"

    def require(self) -> None:
        """Makes sure that the npm package and Chromium are there as well.

        Raises:
          ImportError: If not; it says how to install them.
        """
        super().require()
        _find_package()
        browser.find_chromium()

    def load(self, path):
        def call(inputs):
            played = self.play(path, [inputs])
            return {**played.outputs[0], **played.state}

        return call

    def play(self, path, calls):
        """Plays calls in Chromium; see `playing.play`."""
        answer = browser.play(path, calls)
        description = browser.read_description(path)
        forms = {
            x["name"]: (x["dtype"], [-1 if n is None else n for n in x["shape"]])
            for x in description["outputs"]
        }

        def decoded(arrays):
            return {
                name: np.frombuffer(data, forms[name][0]).reshape(forms[name][1])
                for name, data in arrays.items()
            }

        return Played(
            [decoded(outputs) for outputs in answer["outputs"]],
            decoded(answer["state"]),
            answer["seconds"],
        )

    def _write(self, form: Form, folder: Path) -> Path:
        package = _find_package()
        path = super()._write(form, folder)
        page = resources.files("ddsp.playing.export") / "page"
        for name in _PAGE:
            (folder / name).write_bytes((page / name).read_bytes())
        runtime = folder / "runtime"
        runtime.mkdir(exist_ok=True)
        for name in _RUNTIME:
            shutil.copyfile(package / "dist" / name, runtime / name)
        return path


def _find_package() -> Path:
    """The folder of the npm package onnxruntime-web.

    Raises:
      ImportError: If there is none.
    """
    given = os.environ.get(PACKAGE_VARIABLE)
    package = Path(given) if given else _PACKAGE
    missing = [name for name in _RUNTIME if not (package / "dist" / name).is_file()]
    if missing:
        raise ImportError(
            "The format 'web' needs the npm package onnxruntime-web: run `npm install "
            f"onnxruntime-web` here, or name its folder in {PACKAGE_VARIABLE}; got "
            f"{str(package)!r} without {missing}."
        )
    return package
