# For a machine with Python, its venv module and make; everything else is installed
# into environments under .venv, made again when setup.py changes.

PYTHON = python3
DEMO_STEPS = 300

TEST_ENV = .venv/test
DEMO_ENV = .venv/demo
WEB_ENV = .venv/web
TEST_BIN = $(TEST_ENV)/bin
DEMO_BIN = $(DEMO_ENV)/bin

DEMO_DATA = demo/data/violin.tfrecord
PREPARED = demo/prepared

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help demo test test-all lint bench clean python
.DELETE_ON_ERROR:

help:
	@echo 'make demo      train on the bundled violin, play a melody with it, and'
	@echo '               show the result in demo/report.html (about 15 minutes)'
	@echo 'make test      check the code and run the tests'
	@echo 'make test-all  run the tests on every Python from 3.11 that is installed'
	@echo 'make lint      check the code: style, types, order of imports'
	@echo 'make bench     measure time, memory and error (2 minutes)'
	@echo 'make clean     remove the environments and what the demo made'
	@echo
	@echo 'Variables: PYTHON=$(PYTHON) DEMO_STEPS=$(DEMO_STEPS)'

# On Debian and Ubuntu the venv module is a package of its own.
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'Python 3.11 or newer is needed, and $(PYTHON) is not. Install it' \
	    '(apt-get install python3 python3-venv) or name another:' \
	    'make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "The venv module of $(PYTHON) is missing. Install it:" \
	    "apt-get install python$$version-venv" >&2; exit 1; }

$(TEST_ENV)/stamp: setup.py | python
	$(PYTHON) -m venv --clear $(TEST_ENV)
	$(TEST_BIN)/python -m pip install -e '.[test]'
	@touch $@

$(DEMO_ENV)/stamp: setup.py | python
	$(PYTHON) -m venv --clear $(DEMO_ENV)
	$(DEMO_BIN)/python -m pip install -e .
	@touch $@

lint: $(TEST_ENV)/stamp
	$(TEST_BIN)/ruff check .
	$(TEST_BIN)/ruff format --check .
	$(TEST_BIN)/mypy
	$(TEST_BIN)/lint-imports

# What plays exported models in a browser. Without npm those tests are skipped, unless
# CI is set.
$(WEB_ENV)/stamp:
	@mkdir -p $(WEB_ENV)
	@if command -v npm >/dev/null; then \
	  npm install --prefix $(WEB_ENV) --no-audit --no-fund 'onnxruntime-web@^1.20'; \
	else \
	  echo 'npm is not installed: models are not tested in a browser'; fi
	@touch $@

test: lint $(WEB_ENV)/stamp
	DDSP_ONNXRUNTIME_WEB=$(WEB_ENV)/node_modules/onnxruntime-web \
	  $(TEST_BIN)/python -m pytest -n 2

test-all: $(TEST_ENV)/stamp
	$(TEST_BIN)/tox

bench: $(DEMO_ENV)/stamp
	$(DEMO_BIN)/python -m benchmarks --quick

$(PREPARED): examples/audio/solo_violin.flac $(DEMO_ENV)/stamp
	$(DEMO_BIN)/ddsp_prepare_tfrecord \
	  --input_audio_filepatterns=examples/audio/solo_violin.flac \
	  --output_tfrecord_path=$(DEMO_DATA) \
	  --num_shards=2 \
	  --eval_split_fraction=0.1
	@touch $@

# A training that was interrupted goes on where it stopped.
demo: $(PREPARED)
	$(DEMO_BIN)/ddsp_run --mode=train --save_dir=demo/model \
	  --gin_file=papers/iclr2020/tiny_instrument.gin \
	  --gin_file=datasets/tfrecord.gin \
	  --gin_param="TFRecordProvider.file_pattern='$(DEMO_DATA)-train-*'" \
	  --gin_param=batch_size=8 \
	  --gin_param=train.num_steps=$(DEMO_STEPS) \
	  --gin_param=train.steps_per_summary=50 \
	  --gin_param=train.steps_per_save=100
	$(DEMO_BIN)/ddsp_run --mode=eval --save_dir=demo/eval --restore_dir=demo/model \
	  --run_once \
	  --gin_file=datasets/tfrecord.gin \
	  --gin_file=eval/basic_f0_ld.gin \
	  --gin_param="TFRecordProvider.file_pattern='$(DEMO_DATA)-eval-*'" \
	  --gin_param=evaluate.batch_size=8
	$(DEMO_BIN)/ddsp_timbre_transfer examples/audio/melody.flac \
	  --model demo/model -o demo/transfer.wav --report
	TF_CPP_MIN_LOG_LEVEL=3 $(DEMO_BIN)/python examples/demo_report.py demo
	@echo
	@echo 'Done: open demo/report.html'

clean:
	rm -rf .venv .tox demo build *.egg-info
