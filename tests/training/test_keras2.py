"""Tables of layers, compared with checkpoints of Keras 2."""

import pytest
import tensorflow as tf
import tf_keras

from tests.training import keras2

layers = tf_keras.layers


def fc():
    return tf_keras.Sequential(
        [layers.Dense(4), layers.LayerNormalization(), layers.Activation("relu")]
    )


FC = keras2.sequential(keras2.dense(3, 4), keras2.layer_norm(4), {})


@pytest.mark.parametrize(
    ("layer", "shape", "table"),
    [
        (lambda: layers.Dense(4), [1, 5, 3], keras2.dense(3, 4)),
        (lambda: layers.GRU(4), [1, 5, 3], keras2.gru(3, 4)),
        (lambda: layers.LSTM(4), [1, 5, 3], keras2.lstm(3, 4)),
        (lambda: layers.Conv2D(4, (3, 1)), [1, 5, 2, 3], keras2.conv(3, 1, 3, 4)),
        (
            lambda: layers.Conv2DTranspose(4, (3, 1)),
            [1, 5, 2, 3],
            keras2.conv_transpose(3, 1, 3, 4),
        ),
        (fc, [1, 5, 3], FC),
        (lambda: tf_keras.Sequential([fc()]), [1, 5, 3], keras2.sequential(FC)),
        (
            lambda: layers.Bidirectional(layers.GRU(4)),
            [1, 5, 3],
            {
                "forward_layer": keras2.gru(3, 4),
                "backward_layer": keras2.gru(3, 4),
            },
        ),
        (
            lambda: layers.Embedding(6, 4),
            [1, 5],
            {"embeddings": (6, 4)},
        ),
    ],
)
def test_keys_and_shapes(tmp_path, layer, shape, table):
    model = layer()
    model(tf.zeros(shape))
    tf.train.Checkpoint(model=model).write(str(tmp_path / "keras"))
    keras2.write(tmp_path / "table", table)
    expected, actual = (
        {
            key: shape
            for key, shape in tf.train.list_variables(str(tmp_path / name))
            if key.startswith("model/")
        }
        for name in ("keras", "table")
    )
    assert actual == expected
