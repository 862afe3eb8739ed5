"""The battery over every processor and every loss."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddsp import core, effects, losses, processors, synths
from ddsp.testing import Case, _layers, _streams, expect_close

BATCH, N_FRAMES, HOP = 2, 20, 16
N_SAMPLES = N_FRAMES * HOP

N_HARMONICS, N_BANDS, N_TABLE, IR_SIZE = 6, 9, 32, 48


def frames(channels):
    return lambda rng: rng.standard_normal([BATCH, N_FRAMES, channels])


def samples(channels):
    return lambda rng: rng.standard_normal([BATCH, N_SAMPLES, channels])


def audio(rng):
    return 0.3 * rng.standard_normal([BATCH, N_SAMPLES])


def f0_hz(rng):
    return rng.uniform(200.0, 220.0, [BATCH, N_FRAMES, 1])


def inputs(**makers):
    return lambda rng: {name: make(rng) for name, make in makers.items()}


def audible_reverb(**kwargs):
    """A trained reverb: fresh, it is too quiet to tell from none."""
    reverb = effects.Reverb(trainable=True, **kwargs)
    reverb.build(None)
    rng = np.random.default_rng(2)
    reverb.set_weights([0.1 * rng.standard_normal(kwargs["reverb_length"])])
    return reverb


def trained(cls, **kwargs):
    keras.utils.set_random_seed(0)
    return cls(trainable=True, **kwargs)


def group():
    return processors.ProcessorGroup(
        dag=[
            (
                synths.Harmonic(n_samples=N_SAMPLES, scale_fn=core.exp_sigmoid),
                ["amps", "harmonic_distribution", "f0_hz"],
            ),
            (synths.FilteredNoise(n_samples=N_SAMPLES, seed=3), ["magnitudes"]),
            (
                processors.Add(),
                ["harmonic/signal", "filtered_noise/signal"],
            ),
            ("room", ["add/signal"]),
        ],
        room=audible_reverb(reverb_length=IR_SIZE, name="room"),
        name="strings",
    )


HARMONIC_INPUTS = inputs(amplitudes=frames(1), shares=frames(N_HARMONICS), f0_hz=f0_hz)


def late_group():
    """Signals that meet late, in a graph that lags by several hops."""
    return processors.ProcessorGroup(
        dag=[
            (
                synths.Sinusoidal(n_samples=N_SAMPLES, amp_resample_method="cubic"),
                ["amps", "frequencies"],
            ),
            (synths.FilteredNoise(n_samples=N_SAMPLES, seed=3), ["magnitudes"]),
            (effects.FIRFilter(cross_fade=True), ["sinusoidal/signal", "magnitudes"]),
            (
                processors.Mix(),
                ["fir_filter/signal", "filtered_noise/signal", "level"],
            ),
            (processors.Crop(frame_size=5, crop_location="back"), ["mix/signal"]),
            ("room", ["crop/signal"]),
        ],
        room=audible_reverb(reverb_length=IR_SIZE, name="room"),
        name="late",
    )


PROCESSORS = {
    "harmonic": Case(
        functools.partial(synths.Harmonic, n_samples=N_SAMPLES), HARMONIC_INPUTS
    ),
    "harmonic_linear": Case(
        functools.partial(
            synths.Harmonic,
            n_samples=None,
            hop_size=HOP,
            amp_resample_method="linear",
            normalize_below_nyquist=False,
            use_angular_cumsum=True,
        ),
        HARMONIC_INPUTS,
    ),
    "harmonic_cubic": Case(
        functools.partial(
            synths.Harmonic, n_samples=N_SAMPLES, amp_resample_method="cubic"
        ),
        HARMONIC_INPUTS,
    ),
    "harmonic_nearest": Case(
        functools.partial(
            synths.Harmonic, n_samples=N_SAMPLES, amp_resample_method="nearest"
        ),
        HARMONIC_INPUTS,
    ),
    "filtered_noise": Case(
        functools.partial(
            synths.FilteredNoise, n_samples=N_SAMPLES, initial_bias=0.0, seed=1
        ),
        inputs(magnitudes=frames(N_BANDS)),
        loose=("magnitudes",),
        rowwise=False,
    ),
    "filtered_noise_fading": Case(
        functools.partial(
            synths.FilteredNoise,
            n_samples=N_SAMPLES,
            window_size=0,
            initial_bias=0.0,
            seed=1,
            cross_fade=True,
        ),
        inputs(magnitudes=frames(N_BANDS)),
        loose=("magnitudes",),
        rowwise=False,
    ),
    "wavetable": Case(
        functools.partial(synths.Wavetable, n_samples=N_SAMPLES, scale_fn=None),
        inputs(
            amplitudes=frames(1),
            wavetables=lambda rng: rng.standard_normal([BATCH, N_TABLE]),
            f0_hz=f0_hz,
        ),
        # Between two samples of a table its slope is constant: steps at the samples.
        differentiable=("amplitudes", "wavetables"),
        static=("wavetables",),
        loose=("wavetables",),
    ),
    "wavetable_moving": Case(
        functools.partial(synths.Wavetable, n_samples=N_SAMPLES, scale_fn=None),
        inputs(amplitudes=frames(1), wavetables=frames(N_TABLE), f0_hz=f0_hz),
        loose=("wavetables",),
        differentiable=("amplitudes", "wavetables"),
    ),
    "sinusoidal": Case(
        functools.partial(synths.Sinusoidal, n_samples=N_SAMPLES),
        inputs(amplitudes=frames(5), frequencies=frames(5)),
        loose=("frequencies",),
        # XLA rounds frequencies of some kHz in their last place: 1e-3 Hz.
        tolerance=3e-4,
        step=1e-3,
    ),
    "sinusoidal_cubic": Case(
        functools.partial(
            synths.Sinusoidal, n_samples=N_SAMPLES, amp_resample_method="cubic"
        ),
        inputs(amplitudes=frames(5), frequencies=frames(5)),
        loose=("frequencies",),
        tolerance=3e-4,
        step=1e-3,
    ),
    "tensor_to_audio": Case(synths.TensorToAudio, inputs(samples=samples(1))),
    "add": Case(processors.Add, inputs(one=audio, two=audio)),
    "mix": Case(processors.Mix, inputs(one=audio, two=audio, level=frames(1))),
    "crop": Case(
        functools.partial(processors.Crop, frame_size=HOP), inputs(audio=audio)
    ),
    "crop_front": Case(
        functools.partial(processors.Crop, frame_size=HOP, crop_location="front"),
        inputs(audio=audio),
    ),
    "reverb": Case(
        effects.Reverb,
        inputs(audio=audio, ir=lambda rng: 0.1 * rng.standard_normal([BATCH, IR_SIZE])),
        static=("ir",),
        loose=("ir",),
    ),
    "reverb_trained": Case(
        functools.partial(audible_reverb, reverb_length=IR_SIZE), inputs(audio=audio)
    ),
    "exp_decay_reverb": Case(
        functools.partial(effects.ExpDecayReverb, reverb_length=IR_SIZE, seed=1),
        inputs(
            audio=audio,
            gain=lambda rng: rng.standard_normal([BATCH, 1]),
            decay=lambda rng: rng.standard_normal([BATCH, 1]),
        ),
        static=("gain", "decay"),
    ),
    "exp_decay_reverb_trained": Case(
        functools.partial(
            trained, effects.ExpDecayReverb, reverb_length=IR_SIZE, seed=1
        ),
        inputs(audio=audio),
    ),
    "filtered_noise_reverb": Case(
        functools.partial(
            effects.FilteredNoiseReverb,
            reverb_length=N_SAMPLES,
            initial_bias=0.0,
            seed=1,
        ),
        inputs(audio=audio, magnitudes=frames(N_BANDS)),
        loose=("magnitudes",),
        rowwise=False,
    ),
    "filtered_noise_reverb_trained": Case(
        functools.partial(
            trained,
            effects.FilteredNoiseReverb,
            reverb_length=N_SAMPLES,
            n_frames=N_FRAMES,
            seed=1,
        ),
        inputs(audio=audio),
    ),
    "fir_filter": Case(
        effects.FIRFilter,
        inputs(audio=audio, magnitudes=frames(N_BANDS)),
        loose=("magnitudes",),
    ),
    "fir_filter_fading": Case(
        functools.partial(effects.FIRFilter, cross_fade=True),
        inputs(audio=audio, magnitudes=frames(N_BANDS)),
        loose=("magnitudes",),
    ),
    "mod_delay": Case(
        functools.partial(effects.ModDelay, center_ms=1.0, depth_ms=0.8),
        inputs(audio=audio, gain=samples(1), phase=samples(1)),
        differentiable=("audio", "gain"),
    ),
    "late_group": Case(
        late_group,
        inputs(
            amps=frames(5),
            frequencies=frames(5),
            magnitudes=frames(N_BANDS),
            level=frames(1),
        ),
        grouped=True,
        loose=("frequencies", "magnitudes"),
        rowwise=False,
        # As of the sinusoids.
        tolerance=3e-4,
        step=1e-3,
    ),
    "group": Case(
        group,
        inputs(
            amps=frames(1),
            harmonic_distribution=frames(N_HARMONICS),
            f0_hz=f0_hz,
            magnitudes=frames(N_BANDS),
        ),
        grouped=True,
        loose=("magnitudes",),
        rowwise=False,
    ),
}

# What renders a whole at once, not blocks.
WHOLE = {
    "damped_sinusoidal": Case(
        functools.partial(synths.DampedSinusoidal, n_samples=N_SAMPLES),
        inputs(
            amplitudes=lambda rng: rng.uniform(0.5, 1.0, [BATCH, 3]),
            poles=lambda rng: rng.uniform(0.2, 0.6, [BATCH, 3, 2]),
        ),
        static=("amplitudes", "poles"),
    ),
}

AUDIO_PAIR = inputs(target=audio, audio=audio)
ALL_WEIGHTS = {
    "fft_sizes": (64,),
    "mag_weight": 1.0,
    "delta_time_weight": 0.5,
    "delta_freq_weight": 0.4,
    "cumsum_freq_weight": 0.1,
    "logmag_weight": 0.3,
    "loudness_weight": 0.01,
}


def loss_group():
    quiet = {"fft_sizes": (64,)}
    return losses.LossGroup(
        dag=[
            ("fine", ["target", "audio"]),
            (
                losses.SpectralLoss(loss_type="L2", name="square", **quiet),
                ["target", "audio"],
            ),
        ],
        fine=losses.SpectralLoss(name="fine", **quiet),
    )


LOSSES = {
    f"spectral_{kind}": Case(
        functools.partial(losses.SpectralLoss, loss_type=kind, **ALL_WEIGHTS),
        AUDIO_PAIR,
        # L1 has a kink wherever two magnitudes agree.
        differentiable=("audio",),
        loose=("target", "audio"),
        step=1e-3 if kind == "L1" else 1e-2,
        tolerance=1e-4,
    )
    for kind in ("L1", "L2", "COSINE")
}
LOSSES["spectral_weighted"] = Case(
    functools.partial(losses.SpectralLoss, (64,), "L2", logmag_weight=0.1),
    inputs(
        target=audio,
        audio=audio,
        weights=lambda rng: rng.uniform(0.5, 1.0, [BATCH, 1, 1]),
    ),
    differentiable=("audio", "weights"),
    static=("weights",),
    loose=("target", "audio", "weights"),
    tolerance=1e-4,
)
LOSSES["group"] = Case(
    loss_group,
    AUDIO_PAIR,
    grouped=True,
    differentiable=("audio",),
    loose=("target", "audio"),
    tolerance=1e-4,
)


def positive(low, high, channels):
    return lambda rng: rng.uniform(low, high, [BATCH, N_FRAMES, channels])


# The pitch lies in the middle between two harmonics: there is no kink nearby.
SINUSOIDS = inputs(
    amps_a=positive(0.1, 1.0, 3),
    freqs_a=positive(200.0, 300.0, 3),
    amps_b=positive(0.1, 1.0, 4),
    freqs_b=positive(400.0, 500.0, 4),
)
LOSSES |= {
    "filtered_noise_consistency": Case(
        losses.FilteredNoiseConsistencyLoss,
        inputs(magnitudes=positive(0.5, 1.0, 5), target=positive(0.0, 0.4, 5)),
        loose=("magnitudes", "target"),
    ),
    "harmonic_consistency": Case(
        losses.HarmonicConsistencyLoss,
        inputs(
            amp=positive(0.5, 1.0, 1),
            amp_target=positive(0.1, 0.4, 1),
            dist=positive(0.5, 1.0, 5),
            dist_target=positive(0.1, 0.4, 5),
            f0_hz=positive(200.0, 300.0, 1),
            f0_hz_target=positive(400.0, 500.0, 1),
        ),
        # Where the target sounds is a threshold.
        differentiable=("amp", "dist", "dist_target", "f0_hz", "f0_hz_target"),
        loose=("amp", "amp_target", "dist", "dist_target", "f0_hz", "f0_hz_target"),
    ),
    "wasserstein": Case(losses.WassersteinConsistencyLoss, SINUSOIDS),
    "kde": Case(
        functools.partial(losses.KDEConsistencyLoss, scale_a=5.0, scale_b=5.0),
        SINUSOIDS,
    ),
    "twm": Case(
        losses.TWMLoss,
        inputs(
            f0_candidates=positive(100.0, 200.0, 2),
            freqs=positive(200.0, 4000.0, 3),
            amps=positive(0.1, 1.0, 3),
        ),
    ),
    "param": Case(
        functools.partial(losses.ParamLoss, loss_type="L2"),
        inputs(pred=positive(0.0, 1.0, 3), target=positive(0.0, 1.0, 3)),
        loose=("pred", "target"),
    ),
    "crepe": Case(
        functools.partial(
            losses.PretrainedCREPEEmbeddingLoss,
            activation_layer="conv5-maxpool",
            loss_type="L2",
        ),
        AUDIO_PAIR,
        tolerance=1e-4,
    ),
    "damped": Case(
        losses.DampedSinusoidLoss,
        inputs(audio=audio, poles=lambda rng: rng.uniform(0.2, 0.6, [BATCH, 2, 2])),
        static=("poles",),
        tolerance=1e-4,
    ),
    "hmm": Case(
        functools.partial(losses.HmmTranscriber, n_pitches=12),
        inputs(pitch=positive(2.0, 10.0, 1), amps=positive(0.0, 2.0, 1)),
    ),
}
# Losses that are several.
NAMES = {
    "group": ["fine", "square"],
    "harmonic_consistency": ["harm_amp_loss", "harm_dist_loss", "f0_hz_loss"],
}


def over(cases):
    return pytest.mark.parametrize("case", cases.values(), ids=cases.keys())


every_layer = over(
    {f"processor_{k}": c for k, c in (PROCESSORS | WHOLE).items()}
    | {f"loss_{k}": c for k, c in LOSSES.items()}
)


@over(PROCESSORS | WHOLE)
def test_audio_comes_out(case):
    layer = case.make()
    y = case.run(layer, case.arguments())
    crops = [layer, *getattr(layer, "processors", [])]
    cropped = sum(c.frame_size for c in crops if isinstance(c, processors.Crop))
    assert y.shape == (BATCH, N_SAMPLES - cropped)
    assert y.dtype == tf.float32
    assert np.all(np.isfinite(y))


@over(PROCESSORS | WHOLE)
def test_controls_and_signal_make_the_output(case):
    layer = case.make()
    outputs = case.run(layer, case.arguments(), return_outputs_dict=True)
    assert set(outputs) == {"signal", "controls"}
    expect_close(
        outputs["signal"],
        case.run(layer, case.arguments()),
        case.tolerance,
        "the signal",
    )
    if not case.grouped:
        signal = layer.get_signal(**outputs["controls"])
        expect_close(signal, outputs["signal"], case.tolerance, "get_signal")


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_a_positive_number(name):
    case = LOSSES[name]
    layer = case.make()
    values = layer.get_losses_dict(
        *([case.arguments()] if case.grouped else case.arguments().values())
    )
    assert list(values) == NAMES.get(name, [layer.name])
    for value in values.values():
        assert value.shape == ()
        assert value > 0.0


@pytest.mark.parametrize("extreme", [0.0, 1e-30, 1e4, -1e4])
@every_layer
def test_values_and_gradients_stay_finite(case, extreme):
    _layers.check_finite_everywhere(case, extreme)


@every_layer
def test_gradient_matches_finite_differences(case):
    _layers.check_gradient(case)


@every_layer
def test_compiled_equals_eager(case):
    _layers.check_same_compiled(case)


@every_layer
def test_sizes_stay_known_and_numbers_float32(case):
    _layers.check_graph(case)


@every_layer
def test_a_graph_of_unknown_sizes_equals_eager(case):
    _layers.check_unknown_sizes(case)


@every_layer
def test_wrong_ranks_are_refused(case):
    _layers.check_wrong_ranks_are_refused(case)


@every_layer
def test_nan_stays(case):
    _layers.check_nan_stays(case)


@over(PROCESSORS | WHOLE)
def test_audio_of_an_empty_batch_is_empty(case):
    whole = case.run(case.make(), case.arguments())

    def is_empty(run):
        assert run().shape == (0, *whole.shape[1:])

    _layers.check_empty_inputs(case, is_empty)


@over(LOSSES)
def test_there_is_no_loss_of_an_empty_batch(case):
    def is_refused(run):
        with pytest.raises(ValueError, match="must not be empty, got shape"):
            run()

    _layers.check_empty_inputs(case, is_refused)


@over(PROCESSORS | WHOLE)
def test_rows_do_not_mix(case):
    _layers.check_rows_are_independent(case)


@every_layer
def test_config_round_trip(case):
    _layers.check_round_trip(case)


@every_layer
def test_float32_under_mixed_precision(case):
    _layers.check_float32_under_mixed_precision(case)


@over(PROCESSORS)
def test_blocks_equal_the_whole(case):
    _streams.check_blocks_equal_the_whole(case)


@over(PROCESSORS)
def test_compiled_blocks_equal_eager_ones(case):
    _streams.check_compiled_blocks(case)


@over(PROCESSORS)
def test_a_state_can_be_kept(case):
    _streams.check_state_round_trip(case)


@over(PROCESSORS)
def test_bad_blocks_are_refused(case):
    _streams.check_bad_blocks_are_refused(case)


SYNTHS = {
    name: PROCESSORS[name]
    for name in ("harmonic", "filtered_noise", "wavetable", "sinusoidal")
}


@over(SYNTHS)
def test_length_from_the_hop_or_the_call(case):
    keywords = {**case.make.keywords, "n_samples": None}
    by_hop = case.make.func(hop_size=HOP, **keywords)
    inputs = case.arguments()
    expect_close(
        case.run(by_hop, inputs),
        case.run(case.make(), inputs),
        case.tolerance,
        "length by the hop",
    )
    for layer in (case.make(), by_hop):
        longer = case.run(layer, inputs, n_samples=3 * N_SAMPLES)
        assert longer.shape == (BATCH, 3 * N_SAMPLES)


@over(SYNTHS)
def test_a_synth_without_any_length_says_what_to_give(case):
    layer = case.make.func(**{**case.make.keywords, "n_samples": None})
    with pytest.raises(ValueError, match="`n_samples` or `hop_size`"):
        case.run(layer, case.arguments())


def test_a_group_passes_the_length_on():
    case = PROCESSORS["group"]
    outputs = case.run(group(), case.arguments(), n_samples=2 * N_SAMPLES)
    assert outputs.shape == (BATCH, 2 * N_SAMPLES)
