"""From the microphone to the loudspeaker, through a model."""

import threading
from typing import Any

from ddsp.training.cli import UserError
from ddsp.training.realtime import Player


def play_live(player: Player, seconds: float | None = None) -> None:
    """Plays what the default microphone hears, until it is interrupted.

    A device that ran dry or over is counted among the player's drop-outs.

    Args:
      player: Before its first block.
      seconds: Stop by itself after so long.

    Raises:
      UserError: If sounddevice or the PortAudio library is not installed, or the
        devices cannot be opened at the model's sample rate.
    """
    sounddevice = _import_sounddevice()
    ended = threading.Event()
    errors: list[Exception] = []

    def callback(heard: Any, played: Any, n_samples: int, times: Any, status: Any):
        del n_samples, times
        player.n_late += bool(status)
        try:
            played[:, 0] = player.play(heard[:, 0])
        except Exception as error:
            # It would be lost in PortAudio's thread.
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
            f"{player.stream.sample_rate} samples a second, got: {error}."
        ) from error
    except KeyboardInterrupt:
        # How one ends it.
        pass
    if errors:
        raise errors[0]


def _import_sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise UserError(
            "To play live, install sounddevice: pip install 'ddsp[live]', got: "
            f"{error}."
        ) from error
    except OSError as error:
        raise UserError(
            "sounddevice (of pip install 'ddsp[live]') needs the PortAudio library; on "
            f"Debian and Ubuntu: apt install libportaudio2, got: {error}."
        ) from error
    return sounddevice
