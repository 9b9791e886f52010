#!/usr/bin/env bash
# Reproduces the weights of captioner_flickr8k_lite2. DATA is the Flickr8k folder, RUNS has room
# for 3 GB of feature maps and checkpoints. On 2 CPU cores without a GPU TensorFlow encodes fastest
# and PyTorch trains fastest; on a GPU one backend suffices. Every step can be interrupted and
# resumed. The published weights were trained with the package of commit f9fb25f, the third stage
# with commit fb50e32; it was stopped manually in its fifteenth epoch.
set -euo pipefail
DATA=${DATA:?the Flickr8k folder} RUNS=${RUNS:-runs}
name=captioner_flickr8k_lite2
preset=zoo/$name
train=(mmfusion train captioner --data "$DATA" --out "$RUNS/lite2" --features "$RUNS/features-lite2"
    --encoder efficientnet_lite2_imagenet --views 6 --layers 3 --epochs 5 --fine-tune-epochs 2
    --self-critical-epochs 16 --self-critical-average 0.995)

KERAS_BACKEND=tensorflow "${train[@]}" --features-only
KERAS_BACKEND=torch "${train[@]}"
python zoo/prepare_captioner.py "$RUNS/lite2" "$preset"
for stage in cross_entropy fine_tuning self_critical; do
    cp "$RUNS/lite2.training/$stage/log.csv" "$preset/log_$stage.csv"
done
mmfusion evaluate captioner --preset "$preset" --data "$DATA" --split dev --beams 4 \
    --json "zoo/$name/results.json"
mmfusion evaluate captioner --preset "$preset" --data "$DATA" --split dev --beams 1 \
    --json "zoo/$name/results_greedy.json"
python zoo/publish.py "$name"
python zoo/update_score_tables.py
