"""Live audio: microphone in, model, loudspeaker out."""

import threading
from typing import Any

import numpy as np

from ddsp.playing.realtime import Player
from ddsp.program import UserError


def play_live(player: Player, seconds: float | None = None) -> None:
    """Processes the default microphone's input until interrupted.

    Underruns and overruns of the devices count as drop-outs of the player.

    Args:
      player: A player before its first block.
      seconds: Duration after which to stop; None to wait for Ctrl-C.

    Raises:
      UserError: If sounddevice or the PortAudio library is not installed, or the
        devices cannot be opened at the model's sample rate.
    """
    sounddevice = import_sounddevice()
    ended = threading.Event()
    errors: list[Exception] = []

    def callback(recorded: Any, output: Any, n_samples: int, times: Any, status: Any):
        del n_samples, times
        player.n_late += bool(status)
        try:
            output[:, 0] = player.play(recorded[:, 0])
        except Exception as error:
            # PortAudio's thread would swallow it.
            errors.append(error)
            raise sounddevice.CallbackAbort from error

    try:
        with sounddevice.Stream(
            samplerate=player.stream.sample_rate,
            blocksize=player.block_size,
            channels=1,
            dtype="float32",
            latency="low",
            callback=callback,
            finished_callback=ended.set,
        ):
            ended.wait(seconds)
    except sounddevice.PortAudioError as error:
        raise UserError(
            "The audio devices cannot play and record one channel at "
            f"{player.stream.sample_rate} samples per second, got {error}."
        ) from error
    except KeyboardInterrupt:
        # Ctrl-C is the way to stop.
        pass
    if errors:
        raise errors[0]


def record(seconds: float, sample_rate: int) -> np.ndarray:
    """Records the default microphone.

    Args:
      seconds: Duration in seconds.
      sample_rate: Samples per second.

    Returns:
      Audio, [n_samples], float32.

    Raises:
      UserError: If sounddevice or the PortAudio library is not installed, or the
        microphone cannot be opened at that rate.
    """
    sounddevice = import_sounddevice()
    try:
        recorded = sounddevice.rec(
            round(seconds * sample_rate),
            samplerate=sample_rate,
            channels=1,
            dtype="float32",
            blocking=True,
        )
    except sounddevice.PortAudioError as error:
        raise UserError(
            f"The microphone cannot record one channel at {sample_rate} samples per "
            f"second, got {error}."
        ) from error
    return recorded[:, 0]


def import_sounddevice() -> Any:
    """Returns the package that accesses microphones and loudspeakers.

    Raises:
      UserError: If it or the PortAudio library is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise UserError(
            "To use audio devices, install sounddevice: pip install 'ddsp[live]', got "
            f"{error}."
        ) from error
    except OSError as error:
        raise UserError(
            "sounddevice (of pip install 'ddsp[live]') needs the PortAudio library; on "
            f"Debian and Ubuntu: apt install libportaudio2, got {error}."
        ) from error
    return sounddevice
