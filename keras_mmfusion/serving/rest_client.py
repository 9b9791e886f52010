"""A client of TensorFlow Serving's REST interface."""

import base64
import json
import urllib.error
import urllib.request

import numpy as np

from keras_mmfusion.serving.client_inputs import check_inputs
from keras_mmfusion.serving.retries import call_with_retries, check_settings
from keras_mmfusion.serving.serving_error import ServingError

# What TensorFlow Serving makes of gRPC's codes.
CODES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
DTYPES = {
    "DT_BFLOAT16": "float32",
    "DT_BOOL": "bool",
    "DT_DOUBLE": "float64",
    "DT_FLOAT": "float32",
    "DT_HALF": "float16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
}


class RestClient:
    """Asks a model on TensorFlow Serving over REST.

    ```python
    client = RestClient("http://localhost:8501", "captioner")
    client.predict({"image_bytes": [open("photo.jpg", "rb").read()]})["captions"]
    ```

    Bytes travel as base64, so that gRPC is the faster way for photos. It needs no package beside
    NumPy.

    Args:
        url: string, `"http://host:port"`.
        model: string. The model's name on the server.
        version: int or `None`: the latest.
        label: string or `None`. A version's label on the server, such as `"stable"`.
        timeout: float. Seconds that a prediction may take, its retries included.
        retries: int. How often a request that failed for a moment is sent again.

    Raises:
        ValueError: if the URL is none, both a version and a label are given, or a setting is unfit.
    """

    def __init__(self, url, model, version=None, label=None, timeout=10.0, retries=3):
        check_settings(timeout, retries, version, label)
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"`url` must start with http:// or https://. Received: {url!r}")
        self.address = f"{url.rstrip('/')}/v1/models/{model}"
        if version is not None:
            self.address += f"/versions/{version}"
        if label is not None:
            self.address += f"/labels/{label}"
        self.timeout, self.retries = timeout, retries
        self._outputs = None

    def predict(self, inputs, signature="serving_default"):
        """Runs a signature.

        Args:
            inputs: dict, name -> array or nested lists of numbers, strings or bytes.
            signature: string.

        Returns:
            Dict, name -> NumPy array; strings are `bytes` in arrays of dtype `object`.

        Raises:
            ValueError: if an input is a bare string or bytes, not a list of them.
            ServingError: if the server refuses, fails, or is not there in time.
        """
        check_inputs(inputs)
        request = {
            "signature_name": signature,
            "inputs": {name: _to_json(value) for name, value in inputs.items()},
        }
        body = json.dumps(request).encode("utf-8")
        specs = self._signature_outputs(signature)
        outputs = self._ask(":predict", body)["outputs"]
        if len(specs) == 1:  # Then the server leaves the name out.
            outputs = {next(iter(specs)): outputs}
        return {name: _to_array(value, specs[name]) for name, value in outputs.items()}

    def _signature_outputs(self, signature):
        """The outputs' dtypes by name, which JSON does not tell; asked for once."""
        if self._outputs is None:
            metadata = self._ask("/metadata")["metadata"]["signature_def"]["signature_def"]
            self._outputs = {
                name: {key: value["dtype"] for key, value in each.get("outputs", {}).items()}
                for name, each in metadata.items()
            }
        if signature not in self._outputs:
            raise ServingError(
                f"{self.address} has no signature {signature!r}. It has: {sorted(self._outputs)}",
                "NOT_FOUND",
            )
        return self._outputs[signature]

    def _ask(self, path, body=None):
        return call_with_retries(
            lambda seconds: self._call(path, body, seconds), self.timeout, self.retries
        )

    def _call(self, path, body, seconds):
        request = urllib.request.Request(
            self.address + path, body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=max(seconds, 0.001)) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            code = CODES.get(error.code, "UNKNOWN")
            raise ServingError(f"{self.address}: {code}: {_reason(error)}", code) from error
        except TimeoutError as error:
            raise ServingError(
                f"{self.address}: no answer in time.", "DEADLINE_EXCEEDED"
            ) from error
        except (urllib.error.URLError, ConnectionError) as error:
            late = isinstance(getattr(error, "reason", None), TimeoutError)
            code = "DEADLINE_EXCEEDED" if late else "UNAVAILABLE"
            raise ServingError(f"{self.address}: {code}: {error}", code) from error
        except ValueError as error:
            raise ServingError(
                f"{self.address}: the answer is no JSON: {error}", "UNKNOWN"
            ) from error


def _reason(error):
    text = error.read().decode("utf-8", "replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text or error.reason


def _to_json(value):
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_to_json(each) for each in value]
    return value


def _to_array(value, dtype):
    if dtype == "DT_STRING":
        return np.array(_to_bytes(value), dtype=object)
    return np.array(value, dtype=DTYPES[dtype])


def _to_bytes(value):
    if isinstance(value, list):
        return [_to_bytes(each) for each in value]
    if isinstance(value, dict):  # Of outputs whose name ends in "_bytes".
        return base64.b64decode(value["b64"])
    return value.encode("utf-8")
