"""TensorFlow's own format, for Python, C, Java and TensorFlow Serving."""

from pathlib import Path

import tensorflow as tf

from ddsp.playing.export.form import Form
from ddsp.playing.export.runtime import Runtime, quiet

_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


class SavedModel(Runtime):
    """Writes directories whose signature has the names of the form."""

    name = "saved_model"
    extra = None

    def load(self, path):
        with quiet():
            model = tf.saved_model.load(path)
        signature = model.signatures[_SIGNATURE]

        def call(inputs, model=model):
            # A signature does not keep what it uses: the model does.
            tensors = {name: tf.constant(x) for name, x in inputs.items()}
            return {name: x.numpy() for name, x in signature(**tensors).items()}

        return call

    def _write(self, form: Form, folder: Path) -> Path:
        path = folder / form.name
        module = tf.Module()
        module.function = as_signature(form)
        tf.saved_model.save(
            module,
            str(path),
            signatures={_SIGNATURE: module.function.get_concrete_function()},
            # Nobody trains what was exported.
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        return path


def as_signature(form: Form):
    """A form's graph with the form's names for inputs and outputs.

    Args:
      form: The form to export.
    """
    function, inputs, outputs = form.graph

    def call(*tensors):
        return dict(zip(outputs, function(*tensors), strict=True))

    specs = [
        tf.TensorSpec(form.inputs[name].shape, form.inputs[name].dtype, name=name)
        for name in inputs
    ]
    return tf.function(call, input_signature=specs, autograph=False)
