"""Playing an exported page in headless Chromium, over a server on this machine."""

import base64
import functools
import http.server
import json
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ddsp.playing.export.form import Arrays

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
_TIMEOUT_SECS = 120.0
_CALLS = "/calls.json"
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """The path of Chromium or Chrome.

    Raises:
      ImportError: If there is none.
    """
    for name in CHROMIUM:
        if path := shutil.which(name):
            return path
    raise ImportError(
        "The format 'web' is compared in Chromium: install it (apt-get install "
        f"chromium), got none of {list(CHROMIUM)}."
    )


def read_description(path: str) -> dict[str, Any]:
    """What stands beside an exported file, see `Form.describe`.

    Args:
      path: Path of the exported file.
    """
    return json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))


def play(path: str, calls: Sequence[Arrays]) -> dict[str, Any]:
    """Plays calls on the page of an exported file.

    Args:
      path: Of the ONNX file, in the folder of the page.
      calls: Inputs of each call; the first may have the state to start from.

    Returns:
      `outputs` of each call and the last `state`, {name: bytes}, and `seconds` of each
      call.

    Raises:
      ImportError: If there is no Chromium.
      RuntimeError: If the page fails, or does not answer within two minutes.
    """
    chromium = find_chromium()
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    handler = functools.partial(
        _Handler, json.dumps([_encoded(call) for call in calls]), answers, _folder(path)
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = f"http://127.0.0.1:{server.server_port}/index.html"
        address = f"{page}?form={Path(path).stem}&calls={_CALLS}"
        try:
            answer = _visit(chromium, address, answers)
        finally:
            server.shutdown()
    if "error" in answer:
        raise RuntimeError(f"The page of '{path}' failed, got: {answer['error']}")
    return {
        "outputs": [_decoded(outputs) for outputs in answer["outputs"]],
        "state": _decoded(answer["state"]),
        "seconds": answer["seconds"],
    }


def _folder(path: str) -> str:
    return str(Path(path).resolve().parent)


def _visit(
    chromium: str, address: str, answers: queue.Queue[dict[str, Any]]
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [chromium, *_FLAGS, f"--user-data-dir={profile}", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            return answers.get(timeout=_TIMEOUT_SECS)
        except queue.Empty:
            raise RuntimeError(
                f"The page did not answer within {_TIMEOUT_SECS:.0f} s, got "
                f"{address!r} in {chromium!r}."
            ) from None
        finally:
            process.kill()
            process.wait()


def _encoded(arrays: Arrays) -> dict[str, dict[str, str]]:
    return {
        name: {"dtype": x.dtype.name, "data": base64.b64encode(x.tobytes()).decode()}
        for name, x in arrays.items()
    }


def _decoded(arrays: dict[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(data) for name, data in arrays.items()}


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and the calls, and takes the answer."""

    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, calls, answers, folder, *args):
        self._calls = calls
        self._answers = answers
        super().__init__(*args, directory=folder)

    def do_GET(self):
        if self.path != _CALLS:
            super().do_GET()
            return
        body = self._calls.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        answer = json.loads(self.rfile.read(size))
        self.send_response(204)
        self.end_headers()
        self._answers.put(answer)

    def log_message(self, *args):
        pass
