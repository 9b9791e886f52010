"""The layers and the training on the other backends, where TensorFlow is not installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jax_settings import JAX_SETTINGS

TESTS = Path(__file__).resolve().parent
LAYERS = [f"layers/{path.name}" for path in sorted(TESTS.glob("layers/test_*.py"))]
CAPTIONING = "models/captioning"
LANGUAGE = "models/language"
NODES = "models/node_classification/test_node_classifiers.py"
QUESTIONS = "models/question_answering/test_question_answerer.py"
EXPLAIN = "explain/test_explain_fusion.py"
# Parts that can run beside each other.
PARTS = {
    "layers and losses": [*LAYERS, "losses"],
    "alignment": ["layers/alignment"],
    "fusion": [
        "layers/fusion",
        "models/fusion/test_fine_tuning.py",
        "models/fusion/test_gradient_blending.py",
        f"{QUESTIONS}::test_masked_words_and_image_tokens_do_not_change_logits",
        f"{QUESTIONS}::test_questions_alone_do_not_suffice",
        "models/test_stateless_call.py",
        "models/test_integer_features.py",
        f"{EXPLAIN}::test_modality_values_are_the_exact_shapley_values_of_missing_modalities",
        f"{EXPLAIN}::test_scores_are_differentiable_by_inputs_and_embeddings",
    ],
    "graph": [
        "graphs",
        "layers/graph",
        f"{NODES}::test_training_separates_communities",
        f"{NODES}::test_training_depends_only_on_the_seed",
        f"{NODES}::test_orders_do_not_change_outputs",
        "models/recommendation/test_recommenders.py",
        "explain/test_explain_nodes.py",
        "explain/test_gradient_methods.py",
    ],
    "checkpoints": [
        "checkpoints/test_assign_weights.py",
        "checkpoints/test_checkpoint_loading.py",
        "checkpoints/test_vilt.py",
    ],
    "language": [
        f"{LANGUAGE}/{name}"
        for name in (
            "test_multimodal_lm.py::test_logits_of_text_equal_those_of_the_language_model[prefix-llama]",
            "test_multimodal_lm.py::test_samples_do_not_depend_on_padding_or_other_samples[prefix-llama]",
            "test_multimodal_lm.py::test_lora_trains_adapters_and_connectors",
            "test_text_generation.py::test_cached_decoding_of_different_prompts_equals_uncached_decoding[gpt2]",
            "test_text_generation.py::test_scores_of_beams_are_those_of_their_tokens",
            "test_text_generation.py::test_streams_equal_generated_texts",
            "test_text_generation.py::test_choices_are_scored_with_their_end",
        )
    ],
    "captioning": [
        f"{CAPTIONING}/test_text_decoder.py",
        f"{CAPTIONING}/test_git_text_decoder.py",
        "checkpoints/test_git.py",
        "checkpoints/test_vision_encoder_decoder.py",
        f"{CAPTIONING}/test_beam_search.py",
        f"{CAPTIONING}/test_sampling.py",
        f"{CAPTIONING}/test_caption_generator.py::test_cached_and_uncached_decoding_agree",
        f"{CAPTIONING}/test_caption_generator.py::test_details_contain_scores_tokens_and_attention",
        f"{CAPTIONING}/test_caption_generator.py::test_compiled_functions_are_reused",
        f"{CAPTIONING}/test_captioner_fit.py::test_fit_on_a_sequence",
        f"{CAPTIONING}/test_captioner_fit.py::test_set_dtype_policy_affects_generation",
        f"{CAPTIONING}/test_captioner_training.py::test_runs_with_time_limit_equal_uninterrupted_run",
        f"{CAPTIONING}/test_captioner_training.py::test_moving_average_is_restored_on_resume",
        f"{CAPTIONING}/test_captioner_training.py::test_self_critical_step_raises_rewarded_log_probability",
        f"{CAPTIONING}/test_graph_captioner.py::test_logits_equal_the_composition_of_parts",
        f"{CAPTIONING}/test_graph_captioner.py::test_every_weight_of_the_image_graph_is_trained",
        f"{CAPTIONING}/test_image_captioning_model.py::test_optimizer_state_is_restored",
        f"{CAPTIONING}/test_image_captioning_model.py::test_backbone_decoder_matches_backbone",
    ],
}


@pytest.fixture(scope="session")
def jax_cache(tmp_path_factory):
    """Settings of JAX, with a compilation cache that all parts and workers share.

    Many tests make the same small model, and XLA would compile its step for each of them.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return {
        **JAX_SETTINGS,
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax_cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_without_tensorflow(backend, part, jax_cache):
    pytest.importorskip(backend)
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "hide_tensorflow", "-p", "no:cacheprovider", "-x"]
        + [str(TESTS / path) for path in PARTS[part]],
        cwd=TESTS.parent,
        env={
            **os.environ,
            **jax_cache,
            "KERAS_BACKEND": backend,
            # Threads of OpenMP that wait for each other on busy cores take four times as long.
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        },
        check=True,
        timeout=1800,
    )
