"""The pointing game of `benchmarks/explain.py`: is the highest value inside the object?"""

import json
import sys
import time

import numpy as np
from explain_scenes import list_carla_scenes, list_drawing_scenes, list_mosaic_scenes

from keras_mmfusion.explain import (
    IntegratedGradients,
    Occlusion,
    ShapleyValues,
    SmoothGrad,
    explain,
)
from keras_mmfusion.explain.image_cells import index_cells
from keras_mmfusion.metrics.significance import bootstrap_interval
from keras_mmfusion.zoo import captioner, vqa

CAPTIONER, ANSWERER = "captioner_flickr8k_lite0", "vqa_easy"
SEED = 11
STEPS = 16
METHODS = {
    "attention": "attention",
    "attention_relevance": "attention_relevance",
    "grad_cam": "grad_cam",
    "grad_cam_plus_plus": "grad_cam_plus_plus",
    "smooth_grad": SmoothGrad(STEPS),
    "integrated_gradients": IntegratedGradients(STEPS),
    "occlusion": Occlusion(),
    "shapley": ShapleyValues(samples=2),
}


def play_all(carla, flickr8k, count):
    """Plays the game with `count` scenes of each kind."""
    rng = np.random.default_rng(SEED)
    model = captioner(CAPTIONER)
    scenes = {
        "cars in frames of CARLA": (model, CAPTIONER, list_carla_scenes(carla, count, rng)),
        "things in mosaics of Flickr8k": (
            model,
            CAPTIONER,
            list_mosaic_scenes(flickr8k, count, rng),
        ),
        "colors of drawn shapes": (vqa(ANSWERER), ANSWERER, list_drawing_scenes(count, rng)),
    }
    games = {
        kind: {"preset": preset, "samples": len(each), "methods": play(model, each)}
        for kind, (model, preset, each) in scenes.items()
    }
    return {"seed": SEED, "steps": STEPS, "games": games}


def play(model, scenes):
    """Plays the game with every method that fits; returns the results by name."""
    results, chances = {}, None
    for name, method in METHODS.items():
        hits, chances, seconds = [], [], []
        try:
            explain(model, scenes[0].inputs, scenes[0].target, method, "token")  # Compiles.
        except ValueError as error:
            if "does not fit" not in str(error):
                raise
            continue
        for scene in scenes:
            begin = time.process_time()
            explanation = explain(model, scene.inputs, scene.target, method, "token")
            seconds.append(time.process_time() - begin)
            values = explanation.values["image"]
            is_inside = find_cells(scene.place, values.shape)
            hits.append(float(is_inside.ravel()[np.argmax(values)]))
            chances.append(float(is_inside.mean()))
        interval = bootstrap_interval(hits, seed=SEED)
        results[name] = {
            "rate": interval.value,
            "low": interval.low,
            "high": interval.high,
            "chance": float(np.mean(chances)),
            "cpu_seconds": float(np.median(seconds)),
        }
        print(name, json.dumps(results[name]), file=sys.stderr)
    return results


def find_cells(place, grid):
    """Returns the cells of an image that the object overlaps, a bool array `grid`.

    The presets resize images to a square, without cropping, so the cells divide the whole image.
    """
    cells = index_cells(place.shape, grid).ravel()
    return (np.bincount(cells, place.ravel(), grid[0] * grid[1]) > 0).reshape(grid)
