"""TFLite, also called LiteRT: phones, microcontrollers, plug-ins."""

import tempfile
from pathlib import Path

import tensorflow as tf

from ddsp.playing.export.form import Form
from ddsp.playing.export.runtime import Runtime
from ddsp.playing.export.saved_model import SavedModel


class TFLite(Runtime):
    """Writes files of builtin operations, with one signature of the form's names."""

    name = "tflite"
    modules = ("ai_edge_litert.interpreter",)

    def load(self, path):
        interpreter = self._require("ai_edge_litert.interpreter").Interpreter(path)
        run = interpreter.get_signature_runner()
        return lambda inputs: run(**inputs)

    def _write(self, form: Form, folder: Path) -> Path:
        # A file that cannot be run here would not be known to be right.
        self.require()
        with tempfile.TemporaryDirectory() as temporary:
            source = SavedModel().write(form, temporary)
            converter = tf.lite.TFLiteConverter.from_saved_model(source)
            try:
                content = converter.convert()
            except tf.errors.OpError as error:
                raise _refused(form, error) from error
            except Exception as error:
                if type(error).__name__ != "ConverterError":
                    raise
                raise _refused(form, error) from error
        path = folder / f"{form.name}.tflite"
        path.write_bytes(content)
        return path


def _refused(form: Form, error: Exception) -> ValueError:
    return ValueError(
        f"The form '{form.name}' has operations that TFLite does not have, got {error}."
    )
