"""Pages of results: whole, escaped, and free of anything outside them."""

import base64
import html.parser
import io
import re

import numpy as np
import soundfile

from ddsp.playing import html_page

RATE = 16000


class Outline(html.parser.HTMLParser):
    """Collects what a page shows, and checks that its tags are balanced."""

    def __init__(self, page):
        super().__init__()
        self.open, self.sources, self.alternatives = [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if "src" in attributes:
            self.sources.append(attributes["src"])
        if tag == "img":
            self.alternatives.append(attributes["alt"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def content_of(source, media_type):
    head, content = source.split(",")
    assert head == f"data:{media_type};base64"
    return base64.b64decode(content)


def tone(seconds=0.5):
    return 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(int(seconds * RATE)) / RATE)


def test_a_page_is_whole_and_escaped():
    page = html_page.page(
        "A & B <i>",
        "été",
        [
            html_page.section(
                "One <two>",
                html_page.paragraph("1 < 2"),
                html_page.bullets(["a", "b & c"]),
                html_page.table({"<key>": 'a "value"'}),
            )
        ],
    )
    Outline(page)
    assert page.startswith("<!doctype html>")
    assert "A &amp; B &lt;i&gt;" in page
    assert "&lt;key&gt;" in page
    assert "<i>" not in page
    assert 'charset="utf-8"' in page
    assert "prefers-color-scheme: dark" in page


def test_players_hold_the_audio():
    audio = tone()
    outline = Outline(html_page.players({"A tone": (audio, RATE)}))
    decoded, rate = soundfile.read(
        io.BytesIO(content_of(outline.sources[0], "audio/flac"))
    )
    assert rate == RATE
    # Half a step of 16 bits, and the rounding up of it.
    np.testing.assert_allclose(decoded, audio, atol=2.0**-15)


def test_long_audio_is_cut_and_says_so(monkeypatch):
    monkeypatch.setattr(html_page, "PLAYER_SECS", 0.25)
    page = html_page.players({"A tone": (tone(), RATE)})
    source = Outline(page).sources[0]
    info = soundfile.info(io.BytesIO(content_of(source, "audio/flac")))
    assert info.frames == RATE // 4
    assert "A tone (first 0.25 s)" in page


def test_pictures_are_described_images():
    recordings = {"In": (tone(), RATE), "Out": (tone(0.7), RATE)}
    steps = np.arange(5)
    gap = np.array([440.0, np.nan, 441.0, 880.0, 879.0])
    figures = [
        html_page.waveforms_figure(recordings),
        html_page.spectrograms_figure(recordings),
        html_page.curves_figure(
            {"f0": (steps, gap)}, "Time (s)", "f0 (Hz)", log_y=True
        ),
    ]
    page = "".join(html_page.picture(figure, "A <b>", "Below") for figure in figures)
    outline = Outline(page)
    assert outline.alternatives == ["A <b>"] * 3
    assert page.count("<figcaption>Below</figcaption>") == 3
    for source in outline.sources:
        assert content_of(source, "image/png").startswith(b"\x89PNG")


def test_waveforms_keep_their_extremes():
    audio = np.zeros(100 * RATE)
    audio[12345] = 0.9
    figure = html_page.waveforms_figure({"A click": (audio, RATE)})
    drawn = figure.axes[0].collections[0].get_paths()[0].vertices
    assert np.max(drawn[:, 1]) == 0.9
    at = drawn[np.argmax(drawn[:, 1]), 0]
    # Within the stretch of samples that a point of the picture stands for.
    assert abs(at - 12345 / RATE) < 0.06


def test_a_page_loads_nothing():
    page = html_page.page("T", "S", [html_page.players({"A": (tone(), RATE)})])
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "@import" not in page
    assert "url(" not in page
