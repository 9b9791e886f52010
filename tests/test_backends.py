"""The layers and the training on the other backends, where TensorFlow is not installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
LAYERS = [f"layers/{path.name}" for path in sorted(TESTS.glob("layers/test_*.py"))]
CAPTIONING = "models/captioning"
# Parts that can run beside each other.
PARTS = {
    "layers and losses": [*LAYERS, "losses"],
    "alignment": ["layers/alignment"],
    "fusion": [
        "layers/fusion",
        "models/fusion/test_fine_tuning.py",
        "models/fusion/test_gradient_blending.py",
        "models/test_stateless_call.py",
        "models/test_integer_features.py",
    ],
    "graph": [
        "layers/graph",
        "models/node_classification/test_node_classifiers.py::test_training_finds_communities",
        "models/node_classification/test_node_classifiers.py::test_a_run_depends_on_its_seed_alone",
        "models/node_classification/test_node_classifiers.py::test_orders_change_nothing",
        "models/recommendation/test_recommenders.py",
        "explain/test_explain_nodes.py",
    ],
    "captioning": [
        f"{CAPTIONING}/test_text_decoder.py",
        f"{CAPTIONING}/test_beam_search.py",
        f"{CAPTIONING}/test_sampling.py",
        f"{CAPTIONING}/test_caption_generator.py::test_cached_keys_and_values_change_nothing",
        f"{CAPTIONING}/test_caption_generator.py::test_details_tell_how_a_caption_came_about",
        f"{CAPTIONING}/test_caption_generator.py::test_later_calls_do_not_trace_again",
        f"{CAPTIONING}/test_captioner_fit.py::test_fit_on_a_sequence",
        f"{CAPTIONING}/test_captioner_fit.py::test_another_precision_takes_effect_at_once",
        f"{CAPTIONING}/test_captioner_training.py::test_slices_of_time_add_up",
        f"{CAPTIONING}/test_captioner_training.py::test_the_average_survives_a_kill",
        f"{CAPTIONING}/test_captioner_training.py::test_a_step_makes_rewarded_captions_likelier",
        f"{CAPTIONING}/test_graph_captioner.py::test_the_steps_one_by_one",
        f"{CAPTIONING}/test_graph_captioner.py::test_every_weight_of_the_graph_learns",
        f"{CAPTIONING}/test_image_captioning_model.py::test_the_compile_state_comes_back",
        f"{CAPTIONING}/test_image_captioning_model.py::"
        "test_a_backbone_decoder_gives_the_backbones_own_numbers",
    ],
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_without_tensorflow(backend, part):
    pytest.importorskip(backend)
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "hide_tensorflow", "-p", "no:cacheprovider", "-x"]
        + [str(TESTS / path) for path in PARTS[part]],
        cwd=TESTS.parent,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            # Threads of OpenMP that wait for each other on busy cores take four times as long.
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        },
        check=True,
        timeout=1800,
    )
