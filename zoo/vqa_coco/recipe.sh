#!/usr/bin/env bash
# Reproduces the weights and the scores of vqa_coco, in some minutes on a CPU. DATA is the folder of
# vqa_v2/, coco_captions/, and flickr8k/.
set -euo pipefail
DATA=${DATA:?the folder of vqa_v2, coco_captions, and flickr8k} RUNS=${RUNS:-runs}
name=vqa_coco

python zoo/train_vqa.py "$name" "$DATA/vqa_v2" --captions "$DATA" --out "$RUNS/$name" \
    --json "zoo/$name/results.json"
cp -r "$RUNS/$name/." "zoo/$name/"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
