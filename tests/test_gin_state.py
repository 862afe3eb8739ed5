"""Gin's global settings, set aside and put back."""

import threading

import gin
import pytest

from ddsp import gin_state, synths

CONFIG = "Harmonic.n_samples = 640\nloud/Harmonic.n_samples = 1280"


def state():
    return gin.config_str(), gin.operative_config_str(), gin.config_is_locked()


@pytest.fixture(params=["open", "locked"])
def users_settings(request):
    """Settings of the program, some of them used."""
    gin.parse_config(CONFIG)
    synths.Harmonic()
    if request.param == "locked":
        gin.finalize()
    return state()


def test_inside_there_are_no_settings_and_afterwards_those_of_before(users_settings):
    with gin.config_scope("loud"), gin_state.isolated():
        assert not gin.config_str()
        assert not gin.operative_config_str()
        assert gin.current_scope() == []
        gin.parse_config("Harmonic.n_samples = 5\nHarmonic.sample_rate = 8000")
        assert synths.Harmonic().n_samples == 5
    assert state() == users_settings
    assert synths.Harmonic().sample_rate == 16000


def test_settings_come_back_after_an_error(users_settings):
    def fail():
        gin.parse_config("Harmonic.n_samples = 5")
        gin.finalize()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), gin_state.isolated():
        fail()
    assert state() == users_settings


def test_isolation_within_isolation():
    gin.parse_config(CONFIG)
    with gin_state.isolated():
        gin.parse_config("Harmonic.n_samples = 5")
        with gin_state.isolated():
            assert synths.Harmonic().n_samples == 64000
        assert synths.Harmonic().n_samples == 5
    assert synths.Harmonic().n_samples == 640


def test_layers_in_other_threads_wait():
    """They read the program's settings, not those of a model that is being built."""
    gin.parse_config(CONFIG)
    layers = []
    thread = threading.Thread(target=lambda: layers.append(synths.Harmonic()))
    with gin_state.isolated():
        gin.parse_config("Harmonic.n_samples = 5")
        thread.start()
        thread.join(0.2)
        assert not layers
    thread.join()
    assert layers[0].n_samples == 640


def test_the_config_in_use_names_no_modules():
    gin.parse_config("import json\nHarmonic.n_samples = 640")
    synths.Harmonic()
    assert "import json" in gin.operative_config_str()
    assert "import" not in gin_state.used_config()
    assert "Harmonic.n_samples = 640" in gin_state.used_config()
    assert "import json" in gin.operative_config_str()
