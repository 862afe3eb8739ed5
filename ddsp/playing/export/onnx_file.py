"""ONNX, for onnxruntime on every platform and in the browser."""

import json
from pathlib import Path

import numpy as np

from ddsp.playing.export.form import Form
from ddsp.playing.export.runtime import Runtime

_OPSET = 18
# In ONNX no output has the name of an input, so that new state needs one of its own.
NEW = "new_"


class Onnx(Runtime):
    """Writes files whose inputs and outputs have the names of the form.

    State that comes out has 'new_' before its name, in the file alone.
    """

    name = "onnx"
    modules = ("onnxruntime", "onnx", "tf2onnx.convert")

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
        model, _ = convert.from_graph_def(
            function.graph.as_graph_def(add_shapes=True),
            name=form.name,
            input_names=[x.name for x in function.inputs],
            output_names=[x.name for x in function.outputs],
            opset=_OPSET,
            custom_op_handlers={
                name: (handler, []) for name, handler in _HANDLERS.items()
            },
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


def _spectrum(context, node, name, arguments) -> None:
    """Converts RFFT to a product with a matrix: real parts, then imaginary ones."""
    size = int(context.get_shape(node.input[0])[-1])
    length = int(node.inputs[1].get_tensor_value(as_list=False).item())
    if size != length:
        raise ValueError(f"Transforms have the length of their input, got {length}.")
    real = np.fft.rfft(np.eye(size))
    matrix = np.concatenate([real.real, real.imag], axis=1).astype(np.float32)
    constant = context.make_const(f"{name}_matrix", matrix)
    context.replace_inputs(node, [node.input[0], constant.output[0]])
    node.type = "MatMul"
    shape = [*context.get_shape(node.input[0])[:-1], matrix.shape[1]]
    context.set_shape(node.output[0], shape)
    context.set_dtype(node.output[0], 1)


def _part(context, node, name, arguments) -> None:
    """Converts Real and Imag of what `_spectrum` makes."""
    n_bins = context.get_shape(node.input[0])[-1] // 2
    first = 0 if node.type == "Real" else n_bins
    limits = [
        context.make_const(f"{name}_{key}", np.array([value], np.int64)).output[0]
        for key, value in (("from", first), ("to", first + n_bins), ("axis", -1))
    ]
    context.replace_inputs(node, [node.input[0], *limits])
    for attribute in ("T", "Tout"):
        node.attr.pop(attribute, None)
    node.type = "Slice"


_HANDLERS = {
    "FloorMod": _modulo,
    "RFFT": _spectrum,
    "Real": _part,
    "Imag": _part,
}
