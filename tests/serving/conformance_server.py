"""A stand-in for TensorFlow Serving: the official gRPC stubs and the published REST surface.

It loads a model folder with TensorFlow alone and answers as the server's documents say. Of the
server's settings it knows batching; how fast the server itself is, it does not tell.
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


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Batcher:
    """Requests of a function that arrive together share a pass, as `batching.config` says it."""

    def __init__(self, most_rows=32, wait=0.005, threads=2):
        self.most_rows, self.wait = most_rows, wait
        self.requests = queue.SimpleQueue()
        for _ in range(threads):
            threading.Thread(target=self.work, daemon=True).start()

    def __call__(self, function, inputs):
        result = concurrent.futures.Future()
        self.requests.put((function, inputs, result))
        return result.result()

    def work(self):
        held = None  # What was taken from the queue and did not fit.
        while True:
            batch = [held or self.requests.get()]
            held = None
            function = batch[0][0]
            rows = count_rows(batch[0][1])
            deadline = time.monotonic() + self.wait
            while rows < self.most_rows:
                try:
                    request = self.requests.get(timeout=max(deadline - time.monotonic(), 0))
                except queue.Empty:
                    break
                rows += count_rows(request[1])
                if request[0] is not function or rows > self.most_rows:
                    held = request
                    break
                batch.append(request)
            self.answer(function, batch)

    def answer(self, function, batch):
        try:
            names = batch[0][1]
            together = {n: np.concatenate([each[1][n] for each in batch]) for n in names}
            outputs = function(**{name: tf.constant(value) for name, value in together.items()})
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
    """The versions of one model folder; `labels` gives some of them names."""

    def __init__(self, name, folder, labels=None, batcher=None):
        self.name = name
        self.batcher = batcher
        self.versions = {
            int(path.name): tf.saved_model.load(path)
            for path in Path(folder).iterdir()
            if path.name.isdigit()
        }
        self.labels = labels or {}
        self.failures = []  # Codes with which the next requests fail.
        self.delay = threading.Event()
        self.delay.set()

    def signatures(self, name, version=None, label=None):
        if label is not None:
            if label not in self.labels:
                raise Refused("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
            version = self.labels[label]
        version = version or max(self.versions)
        if name != self.name or version not in self.versions:
            raise Refused("NOT_FOUND", f"Servable not found for request: {name}/{version}")
        return self.versions[version].signatures

    def predict(self, signatures, signature, inputs):
        self.delay.wait(5)
        if self.failures:
            raise Refused(self.failures.pop(0), "as the test wants it")
        if signature not in signatures:
            raise Refused("INVALID_ARGUMENT", f"signature_name: {signature} not found")
        function = signatures[signature]
        specs = function.structured_input_signature[1]
        if set(inputs) != set(specs):
            raise Refused(
                "INVALID_ARGUMENT", f"input keys {sorted(inputs)}, expected {sorted(specs)}"
            )
        try:
            inputs = {name: tf.constant(value, specs[name].dtype) for name, value in inputs.items()}
            if self.batcher is not None:
                inputs = {name: value.numpy() for name, value in inputs.items()}
                return self.batcher(function, inputs)
            return {name: value.numpy() for name, value in function(**inputs).items()}
        except (TypeError, ValueError, tf.errors.OpError) as error:
            raise Refused("INVALID_ARGUMENT", str(error)) from error


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self.model = model

    def Predict(self, request, context):
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        try:
            signatures = self.model.signatures(spec.name, version, spec.version_label or None)
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            outputs = self.model.predict(
                signatures, spec.signature_name or "serving_default", inputs
            )
        except Refused as error:
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


def rest_handler(model):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(self.metadata)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(lambda: self.predict(json.loads(body)))

        def signatures(self):
            path = self.path.removesuffix("/metadata").removesuffix(":predict")
            name, *rest = path.removeprefix("/v1/models/").split("/")
            version = int(rest[1]) if rest[:1] == ["versions"] else None
            label = rest[1] if rest[:1] == ["labels"] else None
            return model.signatures(name, version, label)

        def metadata(self):
            described = {
                name: {
                    "outputs": {key: info(spec) for key, spec in each.structured_outputs.items()}
                }
                for name, each in self.signatures().items()
            }
            return {"metadata": {"signature_def": {"signature_def": described}}}

        def predict(self, request):
            inputs = {name: decoded(value) for name, value in request["inputs"].items()}
            signature = request.get("signature_name", "serving_default")
            outputs = model.predict(self.signatures(), signature, inputs)
            outputs = {name: encoded(name, value.tolist()) for name, value in outputs.items()}
            return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}

        def answer(self, make):
            code = 200
            try:
                content = make()
            except Refused as error:
                code, content = HTTP_CODES[error.code], {"error": str(error)}
            body = json.dumps(content).encode()
            with contextlib.suppress(ConnectionError):  # The client may have stopped waiting.
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    return Handler


def info(spec):
    return {"dtype": f"DT_{'FLOAT' if spec.dtype == tf.float32 else spec.dtype.name.upper()}"}


def decoded(value):
    if isinstance(value, list):
        return [decoded(each) for each in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def encoded(name, value):
    if isinstance(value, list):
        return [encoded(name, each) for each in value]
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(value).decode()}
        return value.decode("utf-8")
    return value


@contextlib.contextmanager
def serving(model, threads=4):
    """Serves a `Model` on free ports of this machine; yields the addresses of gRPC and REST."""
    grpc_server = grpc.server(concurrent.futures.ThreadPoolExecutor(threads))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(model), grpc_server)
    port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    rest_server = ThreadingHTTPServer(("127.0.0.1", 0), rest_handler(model))
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
