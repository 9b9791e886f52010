#!/usr/bin/env bash
# Makes the weights of sentiment_mosi again, in some minutes on a CPU. DATA is CMU-MOSI's train.npz;
# `keras_mmfusion.datasets.read_cmu_mosi` says what it holds.
set -euo pipefail
DATA=${DATA:?the train.npz of CMU-MOSI}
name=sentiment_mosi

KERAS_BACKEND=torch python zoo/train_sentiment.py "$DATA" \
    --out "keras_mmfusion/zoo/presets/$name" --json "zoo/$name/results.json"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
