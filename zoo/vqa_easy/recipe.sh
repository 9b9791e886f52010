#!/usr/bin/env bash
# Reproduces the weights and the scores of vqa_easy. DATA is the folder easy_vqa/data of the PyPI
# package easy-vqa 1.0.
set -euo pipefail
DATA=${DATA:?the folder easy_vqa/data of the package easy-vqa}
name=vqa_easy

python zoo/train_vqa_easy.py "$DATA" \
    --out "keras_mmfusion/zoo/presets/$name" --json "zoo/$name/results.json"
python zoo/draw_answers.py "$DATA" --split test --json "zoo/$name/results.json" \
    --out "zoo/$name/answers.png"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
