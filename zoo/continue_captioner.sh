#!/usr/bin/env bash
# Trains a published captioner further on Flickr8k, COCO and other photos, averages the result with
# the preset, and scores it. DATA contains flickr8k/, coco_captions/ and flickr_extra/. About an hour
# on 2 CPU cores for captioner_flickr8k_lite2, half of it for captioner_flickr8k_lite0.
#
#     DATA=data zoo/continue_captioner.sh captioner_flickr8k_lite2 zoo/captioner_flickr8k_lite2
set -euo pipefail
name=${1:?name of the preset} folder=${2:?folder of the preset}
DATA=${DATA:?the folder of the data sets} RUNS=${RUNS:-runs}
tables=$RUNS/tables
train=(mmfusion train captioner --start-from "$name" --images "$DATA" --captions "$tables/train.csv"
    --dev-images "$DATA" --dev-captions "$tables/select.csv" --out "$RUNS/$name"
    --features "$RUNS/features-$name" --views 2 --epochs 1 --learning-rate 3e-4)

python zoo/merge_caption_sets.py "$DATA" "$tables"
KERAS_BACKEND=tensorflow "${train[@]}" --features-only
KERAS_BACKEND=torch "${train[@]}"
score() {
    python benchmarks/captioner_generalization.py --data "$DATA" --tables "$tables" \
        --model "$RUNS/$name-average-$1" --name "$name, continued, $1 : $2" --sets "${@:3}" \
        --training "one more epoch of cross-entropy on all sets, averaged with the preset"
}
for shares in "0.5 0.5" "0.7 0.3" "0.85 0.15"; do
    read -r new old <<< "$shares"
    python zoo/average_captioners.py "$RUNS/$name-average-$new" \
        "$RUNS/$name.training/cross_entropy/best" "$folder" --shares "$new" "$old"
    score "$new" "$old" flickr8k_select coco_select
done
# The shares with the best mean of both first halves of dev. Only they are scored on the second.
score 0.7 0.3 flickr8k_dev coco_dev
