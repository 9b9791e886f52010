"""A replacement for TensorFlow Serving: the official gRPC stubs and the documented REST API.

It loads a model folder with TensorFlow and responds as documented for the server. It implements
batching. Its speed says nothing about that of the real server.
"""

import base64
import concurrent.futures
import contextlib
import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class RequestError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Batcher:
    """Batches concurrent requests of the same function, as configured in `batching.config`."""

    def __init__(self, max_rows=32, wait=0.005, threads=2):
        self.max_rows, self.wait = max_rows, wait
        self.requests = queue.SimpleQueue()
        for _ in range(threads):
            threading.Thread(target=self.run, daemon=True).start()

    def __call__(self, function, inputs):
        result = concurrent.futures.Future()
        self.requests.put((function, inputs, result))
        return result.result()

    def run(self):
        held = None  # A request that did not fit into the previous batch.
        while True:
            batch = [held or self.requests.get()]
            held = None
            function = batch[0][0]
            rows = count_rows(batch[0][1])
            deadline = time.monotonic() + self.wait
            while rows < self.max_rows:
                try:
                    request = self.requests.get(timeout=max(deadline - time.monotonic(), 0))
                except queue.Empty:
                    break
                rows += count_rows(request[1])
                if request[0] is not function or rows > self.max_rows:
                    held = request
                    break
                batch.append(request)
            self.respond(function, batch)

    def respond(self, function, batch):
        try:
            names = batch[0][1]
            inputs = {n: np.concatenate([each[1][n] for each in batch]) for n in names}
            outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
            outputs = {name: value.numpy() for name, value in outputs.items()}
        except Exception as error:
            for _, _, result in batch:
                result.set_exception(error)
            return
        start = 0
        for _, inputs, result in batch:
            end = start + count_rows(inputs)
            result.set_result({name: value[start:end] for name, value in outputs.items()})
            start = end


def count_rows(inputs):
    return len(next(iter(inputs.values())))


class Model:
    """The versions in one model folder; `labels` maps labels to versions."""

    def __init__(self, name, folder, labels=None, batcher=None):
        self.name = name
        self.batcher = batcher
        self.versions = {
            int(path.name): tf.saved_model.load(path)
            for path in Path(folder).iterdir()
            if path.name.isdigit()
        }
        self.labels = labels or {}
        self.failures = []  # Error codes for the next requests.
        self.delay = threading.Event()
        self.delay.set()

    def get_signatures(self, name, version=None, label=None):
        if label is not None:
            if label not in self.labels:
                raise RequestError(
                    "INVALID_ARGUMENT", f"Unrecognized servable version label: {label}"
                )
            version = self.labels[label]
        version = version or max(self.versions)
        if name != self.name or version not in self.versions:
            raise RequestError("NOT_FOUND", f"Servable not found for request: {name}/{version}")
        return self.versions[version].signatures

    def predict(self, signatures, signature, inputs):
        self.delay.wait(5)
        if self.failures:
            raise RequestError(self.failures.pop(0), "requested by the test")
        if signature not in signatures:
            raise RequestError("INVALID_ARGUMENT", f"signature_name: {signature} not found")
        function = signatures[signature]
        specs = function.structured_input_signature[1]
        if set(inputs) != set(specs):
            raise RequestError(
                "INVALID_ARGUMENT", f"input keys {sorted(inputs)}, expected {sorted(specs)}"
            )
        try:
            inputs = {name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()}
            if self.batcher is not None:
                inputs = {name: value.numpy() for name, value in inputs.items()}
                return self.batcher(function, inputs)
            return {name: value.numpy() for name, value in function(**inputs).items()}
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise RequestError("INVALID_ARGUMENT", str(error)) from error


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self.model = model

    def Predict(self, request, context):
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        try:
            signatures = self.model.get_signatures(spec.name, version, spec.version_label or None)
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            outputs = self.model.predict(
                signatures, spec.signature_name or "serving_default", inputs
            )
        except RequestError as error:
            context.abort(getattr(grpc.StatusCode, error.code), str(error))
        response = predict_pb2.PredictResponse()
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response


HTTP_CODES = {
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
}


def make_rest_handler(model):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.respond(self.get_metadata)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.respond(lambda: self.predict(json.loads(body)))

        def get_signatures(self):
            path = self.path.removesuffix("/metadata").removesuffix(":predict")
            name, *rest = path.removeprefix("/v1/models/").split("/")
            version = int(rest[1]) if rest[:1] == ["versions"] else None
            label = rest[1] if rest[:1] == ["labels"] else None
            return model.get_signatures(name, version, label)

        def get_metadata(self):
            described = {
                name: {
                    "outputs": {
                        key: describe(spec) for key, spec in each.structured_outputs.items()
                    }
                }
                for name, each in self.get_signatures().items()
            }
            return {"metadata": {"signature_def": {"signature_def": described}}}

        def predict(self, request):
            inputs = {name: decode(value) for name, value in request["inputs"].items()}
            signature = request.get("signature_name", "serving_default")
            outputs = model.predict(self.get_signatures(), signature, inputs)
            outputs = {name: encode(name, value.tolist()) for name, value in outputs.items()}
            return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}

        def respond(self, get_content):
            code = 200
            try:
                content = get_content()
            except RequestError as error:
                code, content = HTTP_CODES[error.code], {"error": str(error)}
            body = json.dumps(content).encode()
            with contextlib.suppress(ConnectionError):  # The client may have timed out.
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    return Handler


def describe(spec):
    return {"dtype": f"DT_{'FLOAT' if spec.dtype == tf.float32 else spec.dtype.name.upper()}"}


def decode(value):
    if isinstance(value, list):
        return [decode(each) for each in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def encode(name, value):
    if isinstance(value, list):
        return [encode(name, each) for each in value]
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode("utf-8")
    return value


@contextlib.contextmanager
def run_server(model, threads=4):
    """Serves a `Model` on free local ports; yields the gRPC and REST addresses."""
    grpc_server = grpc.server(concurrent.futures.ThreadPoolExecutor(threads))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(model), grpc_server)
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    rest_server = ThreadingHTTPServer(("127.0.0.1", 0), make_rest_handler(model))
    thread = threading.Thread(target=rest_server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{port}", f"http://127.0.0.1:{rest_server.server_address[1]}"
    finally:
        model.delay.set()
        rest_server.shutdown()
        rest_server.server_close()
        thread.join()
        grpc_server.stop(None).wait()
