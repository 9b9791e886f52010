"""Tests the clients with a server that uses the official stubs and the documented REST API."""

import concurrent.futures
import time

import numpy as np
import pytest

from keras_mmfusion.models.export.saved_model_folder import write_saved_model
from keras_mmfusion.serving import GrpcClient, RestClient, ServingError

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_serving", reason="needs the extra `serving`")

from conformance_server import Batcher, Model, run_server  # noqa: E402


def make_endpoints(factor):
    numbers = tf.TensorSpec((None,), "float32", name="x")
    files = tf.TensorSpec((None,), "string", name="image_bytes")
    return {
        "serving_default": (
            lambda image_bytes: {
                "captions": tf.strings.join(["é", image_bytes]),
                "sizes": tf.strings.length(image_bytes),
            },
            [files],
        ),
        "multiply": (lambda x: {"y": factor * x}, [numbers]),
        "copy": (lambda image_bytes: {"image_bytes": tf.identity(image_bytes)}, [files]),
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for factor in (2.0, 3.0):
        write_saved_model(make_endpoints(factor), folder, {})
    return Model("small", folder, labels={"stable": 1})


@pytest.fixture(scope="module")
def addresses(model):
    with run_server(model) as addresses:
        yield dict(zip((GrpcClient, RestClient), addresses, strict=True))


@pytest.fixture(params=[GrpcClient, RestClient])
def connect(request, addresses, model):
    """Returns a function that creates clients of one kind."""
    model.failures.clear()
    model.delay.set()

    def connect(name="small", **settings):
        return request.param(addresses[request.param], name, **settings)

    return connect


def test_outputs_are_strings_and_numbers(connect):
    outputs = connect().predict({"image_bytes": [b"abc", b""]})
    assert outputs["captions"].tolist() == ["éabc".encode(), "é".encode()]
    assert outputs["sizes"].dtype == np.int32
    assert outputs["sizes"].tolist() == [3, 0]


def test_all_byte_values_are_transferred(connect):
    content = bytes(range(256))
    outputs = connect().predict({"image_bytes": [content]}, "copy")
    assert outputs["image_bytes"].tolist() == [content]


def test_array_input_and_single_output(connect):
    outputs = connect().predict({"x": np.array([1.5, -2.0], "float32")}, "multiply")
    assert list(outputs) == ["y"]
    assert outputs["y"].dtype == np.float32
    assert outputs["y"].tolist() == [4.5, -6.0]


@pytest.mark.parametrize(("settings", "factor"), [({"version": 1}, 2), ({"label": "stable"}, 2)])
def test_version_and_label_select_a_model(connect, settings, factor):
    outputs = connect(**settings).predict({"x": [1.0]}, "multiply")
    assert outputs["y"].tolist() == [factor]


def test_unknown_models_signatures_and_inputs_raise_an_error(connect):
    for client in (connect("large"), connect(version=7)):
        with pytest.raises(ServingError, match="not found") as raised:
            client.predict({"x": [1.0]}, "multiply")
        assert raised.value.code == "NOT_FOUND"
    with pytest.raises(ServingError, match="divide"):
        connect().predict({"x": [1.0]}, "divide")
    with pytest.raises(ServingError, match="expected") as raised:
        connect().predict({"z": [1.0]}, "multiply")
    assert raised.value.code == "INVALID_ARGUMENT"


def test_inputs_of_the_wrong_type_raise_an_error(connect):
    with pytest.raises(ServingError) as raised:
        connect().predict({"x": ["text"]}, "multiply")
    assert raised.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image_bytes": b"abc"}, r"`inputs\['image_bytes'\]` must be a list.*bytes. Put it in"),
        ({"image_bytes": "abc"}, r"`inputs\['image_bytes'\]` must be a list.*str. Put it in"),
        ({"image_bytes": None}, "Received: NoneType"),
        ([b"abc"], "`inputs` must be a dict .*Received: list"),
    ],
)
def test_inputs_without_a_batch_raise_an_error(connect, inputs, message):
    with pytest.raises(ValueError, match=message):
        connect().predict(inputs)


def test_transient_errors_are_retried(connect, model):
    model.failures += ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
    assert connect().predict({"x": [1.0]}, "multiply")["y"].tolist() == [3]
    assert model.failures == []


def test_retries_are_limited(connect, model):
    model.failures += ["UNAVAILABLE"] * 3
    with pytest.raises(ServingError, match="requested by the test") as raised:
        connect(retries=1).predict({"x": [1.0]}, "multiply")
    assert raised.value.code == "UNAVAILABLE"
    assert len(model.failures) == 1


def test_permanent_errors_are_not_retried(connect, model):
    model.failures += ["INVALID_ARGUMENT"] * 2
    with pytest.raises(ServingError):
        connect().predict({"x": [1.0]}, "multiply")
    assert len(model.failures) == 1


def test_timeout_raises_deadline_exceeded(connect, model):
    client = connect(timeout=0.5)
    client.predict({"x": [1.0]}, "multiply")
    model.delay.clear()
    # The server would respond after five seconds.
    with pytest.raises(ServingError) as raised:
        client.predict({"x": [1.0]}, "multiply")
    assert raised.value.code == "DEADLINE_EXCEEDED"


def test_concurrent_requests_are_batched(model):
    batcher = Batcher(max_rows=4, wait=2.0, threads=1)
    sizes = []

    def double(x):
        sizes.append(x.shape[0])
        return {"y": 2 * x}

    # The first batch waits for four rows; the last three rows form another batch.
    counts = [1, 2, 1, 3]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        futures = []
        for row, count in enumerate(counts):
            futures.append(pool.submit(batcher, double, {"x": np.full(count, row, "float32")}))
            time.sleep(0.05)
        results = [future.result(timeout=30)["y"].tolist() for future in futures]
    assert results == [[0], [2, 2], [4], [6, 6, 6]]
    assert sizes == [4, 3]


def test_unreachable_server_raises_unavailable(connect):
    cls = type(connect())
    address = "127.0.0.1:9" if cls is GrpcClient else "http://127.0.0.1:9"
    with pytest.raises(ServingError, match="127.0.0.1:9") as raised:
        cls(address, "small", timeout=2.0).predict({"x": [1.0]}, "multiply")
    assert raised.value.code == "UNAVAILABLE"


def test_invalid_settings_raise_an_error(connect):
    with pytest.raises(ValueError, match="`timeout`"):
        connect(timeout=0)
    with pytest.raises(ValueError, match="`retries`"):
        connect(retries=-1)
    with pytest.raises(ValueError, match="not both"):
        connect(version=1, label="stable")


def test_address_without_a_scheme_raises_an_error():
    with pytest.raises(ValueError, match="http://"):
        RestClient("localhost:8501", "small")
