#!/usr/bin/env bash
# Reproduces the weights of sentiment_mosi, in a few minutes on a CPU. DATA is the folder of
# CMU-MOSI's train.npz and dev.npz; see `keras_mmfusion.datasets.read_cmu_mosi`.
set -euo pipefail
DATA=${DATA:?the folder of train.npz and dev.npz of CMU-MOSI}
name=sentiment_mosi

KERAS_BACKEND=torch python zoo/train_sentiment.py "$DATA/train.npz" "$DATA/dev.npz" \
    --out "keras_mmfusion/zoo/presets/$name" --json "zoo/$name/results.json"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
