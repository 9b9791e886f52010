#!/usr/bin/env bash
# Reproduces the weights of captioner_flickr8k_lite0. DATA is the Flickr8k folder, RUNS has room
# for 1 GB of feature maps. On 2 CPU cores without a GPU TensorFlow encodes fastest and PyTorch
# trains fastest; on a GPU one backend suffices. Every step can be interrupted and resumed.
set -euo pipefail
DATA=${DATA:?the Flickr8k folder} RUNS=${RUNS:-runs}
name=captioner_flickr8k_lite0
preset=keras_mmfusion/zoo/presets/$name
train=(mmfusion train captioner --data "$DATA" --out "$RUNS/lite0" --features "$RUNS/features-lite0"
    --encoder efficientnet_lite0_imagenet --views 3)

KERAS_BACKEND=tensorflow "${train[@]}" --features-only
KERAS_BACKEND=torch "${train[@]}" --dtype mixed_bfloat16 --layers 2 --epochs 8
# The published weights were trained from float16 weights of the first stage.
for epochs in 4 7; do
    KERAS_BACKEND=torch "${train[@]}" --layers 2 --epochs 8 --self-critical-epochs $epochs
done
python zoo/prepare_captioner.py "$RUNS/lite0" "$preset"
for stage in cross_entropy self_critical; do
    cp "$RUNS/lite0.training/$stage/log.csv" "zoo/$name/log_$stage.csv"
done
mmfusion evaluate captioner --preset "$preset" --data "$DATA" --split dev --beams 4 \
    --json "zoo/$name/results.json"
mmfusion evaluate captioner --preset "$preset" --data "$DATA" --split dev --beams 1 \
    --json "zoo/$name/results_greedy.json"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
