"""Features and controls of one frame at a time, for plug-ins.

The interface is that of the original's VST modules, which ddsp-vst calls: every module
maps tensors of one frame, without batch axis, to such tensors, and keeps nothing.
"""

from typing import Any

import gin
import tensorflow as tf

from ddsp import configurable, gin_state, pitch
from ddsp._core import safety
from ddsp.playing import trained_model
from ddsp.playing.signatures import Forms, Specs, floats
from ddsp.playing.voice import find_voice
from ddsp.training import decoders, models, preprocessing

_DECODER_INPUTS = {"f0_scaled", "pw_scaled"}

# Of what is 0 to 1 as a rule.
_LARGEST_SCALED = 10.0


class VSTBaseModule(Forms, models.Autoencoder):
    """A trained model of pitch and power, to be used frame by frame.

    A subclass changes the model's gin config in `configure_gin`, and writes `call` and
    `call_specs`. Gin's settings are as before once the module is made.
    """

    def __init__(self, ckpt, verbose=False, trusted=False, **kwargs):
        """Initializes the module.

        Args:
          ckpt: Directory of a training run, or a checkpoint in it.
          verbose: Log what was restored.
          trusted: Whether the model's config may import modules and name anything;
            see `models.load`.
          **kwargs: Passed on to `keras.Model`.

        Raises:
          FileNotFoundError: If the checkpoint or the operative config beside it is
            missing.
          ValueError: If the model cannot be used so, or the checkpoint is not its own.
        """
        self.trusted = trusted
        with gin_state.isolated():
            self.parse_gin(ckpt)
            self.configure_gin()
            model = trained_model.build_autoencoder()
            super().__init__(
                preprocessor=model.preprocessor,
                decoder=model.decoder,
                processor_group=model.processor_group,
                **kwargs,
            )
            self._voice = find_voice(self)
            self.frame_size = getattr(self.preprocessor, "frame_size", None)
            self.n_harmonics = self._voice.n_harmonics
            self.n_noise = self._voice.n_noise
            self.resample_method = self._voice.harmonic.amp_resample_method
            self.restore(ckpt, verbose=verbose)
            self.build_network()

    def parse_gin(self, ckpt) -> None:
        """Reads the model's operative config; see `parse_operative_config`."""
        trained_model.parse_operative_config(ckpt, self.trusted)

    def configure_gin(self) -> None:
        """Changes the config, which has been read, to what this module needs."""

    def build_variables(self) -> None:
        """Creates the decoder's variables, the only ones that there are."""
        if not self.decoder.built:
            self.decoder({key: tf.zeros([1, 1, 1]) for key in self.decoder.input_keys})

    def restore(self, checkpoint_path, verbose=True) -> None:  # type: ignore[override]
        """Reads the decoder's variables, see `models.Model.restore`."""
        self._check_decoder()
        super().restore(checkpoint_path, verbose=verbose, restore_keys=["decoder"])

    def build_network(self) -> None:
        """Makes the graphs of all forms."""
        self.run_forms()

    def call(self) -> Any:  # type: ignore[override]
        """Computes the outputs of one frame."""
        return Forms.call(self)

    def _check_decoder(self) -> None:
        inputs = set(self.decoder.input_keys) - {"state"}
        if not inputs <= _DECODER_INPUTS:
            raise ValueError(
                "Plug-ins play from pitch and power: the decoder may take "
                f"{sorted(_DECODER_INPUTS)}, as in models/vst/vst.gin, got a "
                f"model whose decoder takes {self.decoder.input_keys}."
            )

    def _predict(self, f0_scaled, pw_scaled, **state) -> tuple[Any, ...]:
        """Amplitude, shares of the harmonics and noise magnitudes; outputs."""
        # The state would not forget NaN, which is silence here.
        features = {
            name: tf.reshape(
                safety.bounded(x, -_LARGEST_SCALED, _LARGEST_SCALED, nan=0.0), [1, 1, 1]
            )
            for name, x in (("f0_scaled", f0_scaled), ("pw_scaled", pw_scaled))
        }
        outputs = self.decoder({**features, **state})
        inputs = {
            **features,
            "f0_hz": preprocessing.inv_scale_f0_hz(features["f0_scaled"]),
            **outputs,
        }
        voice = self._voice
        harmonic = voice.harmonic.get_controls(
            *(inputs[key] for key in voice.harmonic_keys)
        )
        noise = voice.noise.get_controls(*(inputs[key] for key in voice.noise_keys))
        return (
            harmonic["amplitudes"][0, 0],
            harmonic["harmonic_distribution"][0, 0],
            noise["magnitudes"][0, 0],
        ), outputs


@configurable.layer(module="ddsp.training.inference")
class VSTExtractFeatures(VSTBaseModule):
    """Pitch and power of a frame of audio.

    The form 'call' takes `audio` [frame_size], at 16 kHz whatever the model's sample
    rate. It returns `f0_hz` (Hz), `f0_scaled` (0 to 1), `pw_db` (dB) and `pw_scaled` (0
    to 1), each [1].
    """

    output_names = ("f0_hz", "f0_scaled", "pw_db", "pw_scaled")

    def __init__(self, ckpt, crepe_saved_model_path=None, **kwargs):
        """Initializes the module.

        Args:
          ckpt: Directory of a training run, or a checkpoint in it.
          crepe_saved_model_path: Size or path of the pitch tracker, see
            `pitch.find_weights`. By default that of the model's config, or 'tiny'
            where it names none.
          **kwargs: See `VSTBaseModule`.

        Raises:
          FileNotFoundError: If the weights of the tracker are not installed.
          ValueError: If the model has no OnlineF0PowerPreprocessor, or frames of
            other than 1024 samples, which is what the tracker takes.
        """
        self.crepe_saved_model_path = crepe_saved_model_path
        super().__init__(ckpt, **kwargs)

    def configure_gin(self) -> None:
        """Lets the preprocessor measure the one frame that it is given."""
        gin.parse_config(
            """
            OnlineF0PowerPreprocessor.padding = 'valid'
            OnlineF0PowerPreprocessor.compute_f0 = True
            OnlineF0PowerPreprocessor.compute_power = True
            OnlineF0PowerPreprocessor.viterbi = False
            """
        )
        bound = gin.get_bindings("OnlineF0PowerPreprocessor")
        of_model = bound.get("crepe_saved_model_path")
        tracker = self.crepe_saved_model_path or of_model or "tiny"
        gin.bind_parameter("OnlineF0PowerPreprocessor.crepe_saved_model_path", tracker)

    def build_network(self) -> None:
        """Makes the graph of the form."""
        preprocessor = self.preprocessor
        if not isinstance(preprocessor, preprocessing.OnlineF0PowerPreprocessor):
            raise ValueError(
                "Features are extracted by an OnlineF0PowerPreprocessor, as in "
                "models/vst/vst.gin, got a model with "
                f"{type(preprocessor).__name__}."
            )
        if self.frame_size != pitch.FRAME_SIZE:
            raise ValueError(
                f"Pitch is tracked in frames of {pitch.FRAME_SIZE} samples, so power "
                f"must be measured in such frames too, got a model with "
                f"frame_size={self.frame_size}."
            )
        super().build_network()

    @property
    def call_specs(self) -> dict[str, Specs]:
        return {"call": {"audio": floats(pitch.FRAME_SIZE)}}

    def call(self, audio) -> tuple[tf.Tensor, ...]:  # type: ignore[override]
        """Measures a frame, see the class."""
        outputs = self.preprocessor({"audio": audio[tf.newaxis]})
        keys = ("f0_hz", "f0_scaled", "pw_db", "pw_scaled")
        return tuple(outputs[key][0, 0] for key in keys)


@configurable.layer(module="ddsp.training.inference")
class VSTPredictControls(VSTBaseModule):
    """Controls of one frame, from a recurrent state of zero.

    The form 'call' takes `f0_scaled` and `pw_scaled`, [1] each, as `VSTExtractFeatures`
    returns them. It returns the amplitude [1], the shares of the harmonics
    [n_harmonics] and the magnitudes of the noise's filter [n_noise], all scaled to be
    synthesized.
    """

    output_names = ("amps", "hd", "noise")

    @property
    def call_specs(self) -> dict[str, Specs]:
        return {"call": {"f0_scaled": floats(1), "pw_scaled": floats(1)}}

    def call(self, f0_scaled, pw_scaled) -> tuple[tf.Tensor, ...]:  # type: ignore[override]
        """Decodes a frame, see the class."""
        controls, _ = self._predict(f0_scaled, pw_scaled)
        return controls


@configurable.layer(module="ddsp.training.inference")
class VSTStatelessPredictControls(VSTBaseModule):
    """Controls of one frame, with the recurrent state going in and coming out.

    As `VSTPredictControls`, with a last input and a last output `state` [state_size]:
    zeros before the first frame, then what the frame before returned.
    """

    output_names = ("amps", "hd", "noise", "state")

    def configure_gin(self) -> None:
        """Makes the recurrent state an input of the decoder."""
        gin.parse_config("RnnFcDecoder.stateless = True")

    def _check_decoder(self) -> None:
        super()._check_decoder()
        if not isinstance(self.decoder, decoders.RnnFcDecoder):
            raise ValueError(
                "The recurrent state of an RnnFcDecoder can be carried on, got a "
                f"model with {type(self.decoder).__name__}."
            )

    @property
    def state_size(self) -> int:
        """Length of the recurrent state."""
        return self.decoder.rnn.n_states * self.decoder.rnn.rnn.units

    def build_variables(self) -> None:
        """Creates the decoder's variables."""
        if not self.decoder.built:
            zeros = {key: tf.zeros([1, 1, 1]) for key in self.decoder.input_keys}
            self.decoder({**zeros, "state": tf.zeros([1, self.state_size])})

    @property
    def call_specs(self) -> dict[str, Specs]:
        specs = {"f0_scaled": floats(1), "pw_scaled": floats(1)}
        return {"call": {**specs, "state": floats(self.state_size)}}

    def call(self, f0_scaled, pw_scaled, state) -> tuple[tf.Tensor, ...]:  # type: ignore[override]
        """Decodes a frame, see the class."""
        controls, outputs = self._predict(
            f0_scaled, pw_scaled, state=tf.reshape(state, [1, self.state_size])
        )
        return *controls, outputs["state"][0]
