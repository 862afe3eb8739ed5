"""ONNX, for onnxruntime on every platform and in the browser."""

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

from ddsp.training.export.form import Form
from ddsp.training.export.runtime import Runtime

_OPSET = 18
# In ONNX no output has the name of an input, so that new state needs one of its own.
NEW = "new_"


class Onnx(Runtime):
    """Writes files whose inputs and outputs have the names of the form.

    State that comes out has 'new_' before its name, in the file alone.
    """

    name = "onnx"

    def load(self, path):
        session = self._require("onnxruntime").InferenceSession(
            str(path), providers=["CPUExecutionProvider"]
        )
        names = {x.name for x in session.get_inputs()}
        outputs = [
            x.name.removeprefix(NEW) if x.name.removeprefix(NEW) in names else x.name
            for x in session.get_outputs()
        ]

        def call(inputs):
            return dict(zip(outputs, session.run(None, dict(inputs)), strict=True))

        return call

    def _write(self, form: Form, folder: Path) -> Path:
        # A file that cannot be run here would not be known to be right.
        self._require("onnxruntime")
        onnx = self._require("onnx")
        convert = self._require("tf2onnx.convert")
        function, inputs, outputs = form.graph
        names = dict(zip((x.name for x in function.inputs), inputs, strict=True))
        for tensor, name in zip(function.outputs, outputs, strict=True):
            names[tensor.name] = NEW + name if name in form.state else name
        with _without_notices():
            model, _ = convert.from_graph_def(
                function.graph.as_graph_def(add_shapes=True),
                name=form.name,
                input_names=[x.name for x in function.inputs],
                output_names=[x.name for x in function.outputs],
                opset=_OPSET,
                custom_op_handlers={"FloorMod": (_modulo, [])},
                tensors_to_rename=names,
            )
        unknown = {node.op_type for node in model.graph.node} - _operations(onnx)
        if unknown:
            raise ValueError(
                f"The form '{form.name}' has operations that ONNX does not have, got "
                f"{sorted(unknown)}."
            )
        model.doc_string = form.doc
        onnx.helper.set_model_props(model, {"ddsp": json.dumps(form.describe())})
        onnx.checker.check_model(model, full_check=True)
        path = folder / f"{form.name}.onnx"
        onnx.save(model, str(path))
        return path


def _operations(onnx) -> set[str]:
    return {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}


def _modulo(context, node, name, arguments) -> None:
    """Converts FloorMod; what the converter makes of integers is right from 0 on."""
    if context.get_dtype(node.input[0]) in _FLOATS:
        quotient = context.make_node("Div", node.input)
        whole = context.make_node("Floor", quotient.output)
        product = context.make_node("Mul", [whole.output[0], node.input[1]])
        node.type = "Sub"
        context.replace_inputs(node, [node.input[0], product.output[0]])
    else:
        node.type = "Mod"
        node.set_attr("fmod", 0)


# float, float16, double: see onnx.TensorProto.
_FLOATS = {1, 10, 11}


@contextlib.contextmanager
def _without_notices() -> Iterator[None]:
    """Keeps away what TensorFlow says of interfaces that the converter uses."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
