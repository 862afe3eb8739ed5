"""The page of an exported model: what is missing is named, and faults are passed on."""

import pytest

from ddsp.playing.export import browser, find_runtime, web
from ddsp.playing.export.model_forms import cut, streaming_form
from tests.playing.export import small


def test_a_missing_npm_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(web.PACKAGE_VARIABLE, str(tmp_path))
    with pytest.raises(ImportError, match=r"npm install onnxruntime-web.*wasm"):
        find_runtime("web").require()


def test_a_missing_browser_is_named(monkeypatch):
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    with pytest.raises(ImportError, match=r"install it .*chromium"):
        browser.find_chromium()


@small.NEEDS_WEB
def test_a_fault_of_the_page_is_an_error(tmp_path):
    form = streaming_form(small.model(), 2)
    runtime = find_runtime("web")
    path = runtime.write(form, tmp_path)
    calls = cut(form, small.features(2), small.noise(128))
    with pytest.raises(RuntimeError, match="The input f0_hz is missing"):
        runtime.play(path, [{k: x for k, x in calls[0].items() if k != "f0_hz"}])
    (tmp_path / "stream.onnx").write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match=r"The page of .* failed"):
        runtime.play(path, calls)


@small.NEEDS_WEB
def test_the_folder_is_all_that_a_server_needs(tmp_path):
    form = streaming_form(small.model(), 2)
    find_runtime("web").write(form, tmp_path)
    names = {x.relative_to(tmp_path).as_posix() for x in tmp_path.rglob("*.*")}
    assert {"index.html", "page.mjs", "form.mjs", "stream.onnx", "stream.json"} < names
    assert any(name.endswith(".wasm") for name in names)
    page = (tmp_path / "index.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
