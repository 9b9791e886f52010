import os
import random
import sys

import pytest

CAPTIONER = "keras_mmfusion.models.captioning.captioner"
TEXT_GENERATION = "keras_mmfusion.models.language.text_generation"


def pytest_collection_modifyitems(items):
    """Deals the tests that take minutes to all workers of pytest-xdist, to run as the first.

    Each worker begins with an equal run of the list, and one that is done takes over what is left
    of the others': with long tests at the end, one would run them while the others wait.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    long = [item for item in items if item.path.name == "test_backends.py"]
    short = [item for item in items if item.path.name != "test_backends.py"]
    items.clear()
    for worker in range(workers):
        mine = short[worker * len(short) // workers : (worker + 1) * len(short) // workers]
        # Behind two short ones, as the runs may be longer or shorter by one.
        items += mine[:2] + long[worker::workers] + mine[2:]


def pytest_runtest_setup(item):
    """Skips the tests that download public checkpoints, unless `-m network` selects them."""
    if "network" in item.keywords and "network" not in item.config.getoption("markexpr"):
        pytest.skip("needs the Hugging Face Hub: pytest -m network")


@pytest.fixture(autouse=True)
def keep_compiled_functions(monkeypatch):
    """Keeps what TensorFlow compiled, which it would forget each time that a seed is set.

    It forgets because kernels contain the seeds of stateful random operations. Keras has none.
    """
    context = sys.modules.get("tensorflow.python.eager.context")
    if context is None:
        return

    def set_global_seed(self, seed):
        self._seed = seed
        self._rng = random.Random(seed)

    monkeypatch.setattr(context.Context, "_set_global_seed", set_global_seed)


@pytest.fixture(autouse=True)
def seed_random_numbers(keep_compiled_functions):
    """Gives each test the same initial weights in every run and in every order of the tests."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def search_without_xla(request, monkeypatch):
    """Disables XLA, whose compilation dominates the test time, except in tests marked `xla`."""
    if CAPTIONER in sys.modules and "xla" not in request.keywords:
        model = sys.modules[CAPTIONER].Captioner
        monkeypatch.setattr(model, "_jit_compile_search", False)
    if TEXT_GENERATION in sys.modules and "xla" not in request.keywords:
        model = sys.modules[TEXT_GENERATION].TextGeneration
        monkeypatch.setattr(model, "_jit_compile_search", False)


@pytest.fixture
def eager_fit():
    """Trains and predicts without compilation on TensorFlow."""
    from eager_fit import fit_eagerly

    with fit_eagerly():
        yield


@pytest.fixture(scope="session")
def captioner_preset(tmp_path_factory):
    """The folder of a preset whose captioner has random weights and a vocabulary of ten words."""
    from models.captioning.small_captioners import small_captioner

    folder = tmp_path_factory.mktemp("presets") / "captioner_small"
    small_captioner().save_to_preset(folder)
    return str(folder)


@pytest.fixture(scope="session")
def embedder_preset(tmp_path_factory):
    """Returns the folder of an image-text preset with random weights."""
    from models.retrieval.small_embedders import small_embedder

    folder = tmp_path_factory.mktemp("presets") / "embedder_small"
    small_embedder().save_to_preset(folder)
    return str(folder)


@pytest.fixture(scope="session")
def sentiment_preset(tmp_path_factory):
    """Returns the folder of a sentiment preset with random weights."""
    from models.sentiment.small_utterances import small_sentiment_model

    folder = tmp_path_factory.mktemp("presets") / "sentiment_small"
    small_sentiment_model().save_to_preset(folder)
    return str(folder)


@pytest.fixture(scope="session")
def question_answerer_preset(tmp_path_factory):
    """Returns the folder of a question answerer with random weights."""
    from models.question_answering.small_question_answerers import small_blip

    folder = tmp_path_factory.mktemp("presets") / "question_answerer_small"
    small_blip().save_to_preset(folder)
    return str(folder)
