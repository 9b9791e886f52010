#!/usr/bin/env bash
# Reproduces the weights and the scores of vqa_rad, in some minutes on a CPU. DATA is the folder of
# vqa_rad with its train file and images/.
set -euo pipefail
DATA=${DATA:?the folder of vqa_rad} RUNS=${RUNS:-runs}
name=vqa_rad

python zoo/split_vqa.py "$DATA" "$RUNS/split/vqa_rad"
python zoo/train_vqa.py "$name" "$RUNS/split/vqa_rad" --out "$RUNS/$name" --json "zoo/$name/results.json"
python zoo/draw_answers.py "$RUNS/split/vqa_rad" --split dev --json "zoo/$name/results.json" \
    --out "zoo/$name/answers.png"
cp -r "$RUNS/$name/." "zoo/$name/"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
