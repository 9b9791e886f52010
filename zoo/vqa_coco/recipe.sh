#!/usr/bin/env bash
# Reproduces the weights and the scores of vqa_coco, in some minutes on a CPU. DATA is the folder of
# vqa_v2/, coco_captions/, and flickr8k/, and PHOTOS the folder skimage/data of scikit-image, for the
# figure.
set -euo pipefail
DATA=${DATA:?the folder of vqa_v2, coco_captions, and flickr8k}
PHOTOS=${PHOTOS:?skimage/data} RUNS=${RUNS:-runs}
name=vqa_coco

mkdir -p "$RUNS/coco_photos"
python zoo/train_vqa.py "$name" "$DATA/vqa_v2" --captions "$DATA" --out "$RUNS/$name" \
    --json "zoo/$name/results.json"
cp -r "$RUNS/$name/." "zoo/$name/"
ln -s "$(realpath "$PHOTOS")" "$RUNS/coco_photos/images"
cp "zoo/$name/photos.csv" "$RUNS/coco_photos/dev.csv"
mmfusion evaluate vqa --preset "zoo/$name" --data "$RUNS/coco_photos" --split dev \
    --json "$RUNS/coco_photos.json"
python zoo/draw_answers.py "$RUNS/coco_photos" --split dev --json "$RUNS/coco_photos.json" --count 2 \
    --out "zoo/$name/answers.png"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
