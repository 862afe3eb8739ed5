"""Malicious and invalid gin statements."""

from pathlib import Path

from hypothesis import strategies as st

from campaigns import drawing
from campaigns.drawing import Case

_MODULE = "campaign_payload"
# FOLDER is replaced by the directory of the config.
STATEMENTS = (
    f"import {_MODULE}",
    f"from {_MODULE} import run",
    f"import {_MODULE} as x",
    "import os",
    "from os import system",
    "import antigravity",
    "include 'more.gin'",
    "include 'FOLDER/more.gin'",
    "include '/etc/passwd'",
    "include '/dev/zero'",
    "Autoencoder.decoder = @keras.layers.TFSMLayer()\n"
    "TFSMLayer.filepath = 'FOLDER/saved_model'",
    "Autoencoder.decoder = @TFSMLayer()\nTFSMLayer.filepath = 'FOLDER/saved_model'",
    "Autoencoder.decoder = @keras.layers.Lambda()",
    "Autoencoder.decoder = @keras.layers.TorchModuleWrapper()",
    "Autoencoder.losses = [@keras.models.load_model()]",
    "Autoencoder.losses = [@os.system()]",
    "Autoencoder.losses = [@builtins.eval()]",
    "Autoencoder.losses = [@eval()]",
    "Autoencoder.losses = [@exec()]",
    "Autoencoder.losses = [@tf.io.write_file()]",
    "Autoencoder.losses = [@data.TFRecordProvider()]",
    "Autoencoder.losses = [@train()]\ntrain.save_dir = 'FOLDER/outside'",
    "Autoencoder.losses = [@ddsp.training.train_util.train()]",
    "Autoencoder.losses = [@models.get_model()]",
    "get_model.model = @models.get_model()",
    "get_model.model = @processors.ProcessorGroup()",
    "get_model.model = None",
    "get_model.model = 1",
    "get_model.model = %missing",
    "a = %b\nb = %a\nget_model.model = %a",
    "get_model.model = @nothing.of.this.name()",
    "get_model.model = @a/b/c/models.Autoencoder()",
    "RnnFcDecoder.ch = 1000000000000",
    "RnnFcDecoder.ch = -1",
    "RnnFcDecoder.ch = 'x'",
    "RnnFcDecoder.ch = 1e30",
    "RnnFcDecoder.ch = None",
    "RnnFcDecoder.layers_per_stack = 100000",
    "RnnFcDecoder.rnn_channels = 200000",
    "RnnFcDecoder.output_splits = ()",
    "RnnFcDecoder.output_splits = (('amps', 1000000000000),)",
    "RnnFcDecoder.input_keys = ()",
    "RnnFcDecoder.input_keys = ('nothing',)",
    "Reverb.reverb_length = 1000000000000",
    "Reverb.reverb_length = 0",
    "Reverb.reverb_length = -5",
    "Harmonic.n_samples = 1000000000000",
    "Harmonic.n_samples = -1",
    "Harmonic.sample_rate = 0",
    "Harmonic.sample_rate = 44100",
    "F0LoudnessPreprocessor.time_steps = 0",
    "F0LoudnessPreprocessor.time_steps = 1000000000000",
    "F0LoudnessPreprocessor.sample_rate = -1",
    "F0LoudnessPreprocessor.frame_rate = 0",
    "F0LoudnessPreprocessor.frame_rate = 1000000000",
    "ProcessorGroup.dag = []",
    "ProcessorGroup.dag = 5",
    "ProcessorGroup.dag = [(@synths.Harmonic(), ['nothing'])]",
    "ProcessorGroup.dag = [(@processors.ProcessorGroup(), [])]",
    "nothing.parameter = 5",
    "Autoencoder.nothing = 5",
    "Autoencoder = 5",
    "x = " + "(" * 5000 + ")" * 5000,
    "x = " + "[" * 100_000,
    "x = '" + "a" * 1_000_000 + "'",
    "x = 'unclosed",
    "x = 1 +",
    "x = __import__('os').system('true')",
    "x = 10 ** 10 ** 10",
    "x = f'{1}'",
    "@@@@",
    "\x00",
    "\ufeff",
    "x = \\",
    "if True:",
    "\t\tx = 1",
    "# a comment without end",
)


def edits() -> st.SearchStrategy[Case]:
    """Draws a change of a config; see `edit`."""
    return st.one_of(
        *[
            st.fixed_dictionaries(
                {
                    "do": st.sampled_from(["append", "prepend"]),
                    "statement": st.integers(0, len(STATEMENTS) - 1),
                }
            )
        ]
        * 3,
        st.fixed_dictionaries({"do": st.just("drop line"), "at": drawing.fractions()}),
        st.fixed_dictionaries(
            {"do": st.just("double line"), "at": drawing.fractions()}
        ),
        st.fixed_dictionaries({"do": st.just("bytes"), "edit": drawing.byte_edits()}),
    )


def edit(data: bytes, change: Case, folder: Path) -> bytes:
    """Applies one of `edits` to a config in a directory."""
    lines = data.split(b"\n")
    at = round(change.get("at", 0.0) * (len(lines) - 1))
    match change["do"]:
        case "append" | "prepend":
            text = STATEMENTS[change["statement"]].replace("FOLDER", str(folder))
            added = text.encode("utf-8", "surrogatepass")
            pair = [data, added] if change["do"] == "append" else [added, data]
            return b"\n".join([*pair, b""])
        case "drop line":
            return b"\n".join(lines[:at] + lines[at + 1 :])
        case "double line":
            return b"\n".join(lines[: at + 1] + lines[at:])
    return drawing.edit_bytes(data, change["edit"])


def write_payloads(folder: Path) -> None:
    """Writes the modules that statements try to run."""
    write = (
        "import os\n"
        "run = lambda *args: open(os.environ['CAMPAIGN_CANARY'], 'w').close()\n"
        "run()\n"
    )
    (folder / f"{_MODULE}.py").write_text(write)
    (folder / "more.gin").write_text(f"import {_MODULE}\n")


def write_saved_model(folder: Path, canary: str) -> None:
    """Writes a SavedModel that creates a file when called."""
    import tensorflow as tf

    class Payload(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec(None, tf.float32)])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            tf.io.write_file(canary, "ran")
            return x

    module = Payload()
    tf.saved_model.save(module, str(folder), signatures=module.__call__)
