"""A client of TensorFlow Serving's REST interface."""

import base64
import json
import urllib.error
import urllib.request

import numpy as np

from keras_mmfusion.serving.client_inputs import check_inputs
from keras_mmfusion.serving.retries import call_with_retries, check_settings
from keras_mmfusion.serving.serving_error import ServingError

# HTTP status codes of TensorFlow Serving and the gRPC codes they stand for.
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
    """A client of a model on TensorFlow Serving, over REST.

    ```python
    client = RestClient("http://localhost:8501", "captioner")
    client.predict({"image_bytes": [open("photo.jpg", "rb").read()]})["captions"]
    ```

    Needs no package except NumPy. Bytes are sent as base64, so gRPC is faster for photos.

    Args:
        url: string, `"http://host:port"`.
        model: string. The model's name on the server.
        version: int or `None` for the latest.
        label: string or `None`. The label of a version on the server, such as `"stable"`.
        timeout: float. The maximum number of seconds for a prediction, with retries.
        retries: int. How often a request is sent again after a transient error.

    Raises:
        ValueError: if the URL is invalid, both a version and a label are given, or an argument is
            invalid.
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
        self._dtypes = None

    def predict(self, inputs, signature="serving_default"):
        """Runs a signature of the model.

        Args:
            inputs: dict of name -> array or nested lists of numbers, strings or bytes.
            signature: string.

        Returns:
            A dict of name -> NumPy array; strings are `bytes` in arrays of dtype `object`.

        Raises:
            ValueError: if an input is a string or bytes instead of a list of them.
            ServingError: if the server rejects the request, fails, or does not respond in time.
        """
        check_inputs(inputs)
        request = {
            "signature_name": signature,
            "inputs": {name: _to_json(value) for name, value in inputs.items()},
        }
        body = json.dumps(request).encode("utf-8")
        dtypes = self._get_dtypes(signature)
        outputs = self._request(":predict", body)["outputs"]
        if len(dtypes) == 1:  # The server omits the name of a single output.
            outputs = {next(iter(dtypes)): outputs}
        return {name: _to_array(value, dtypes[name]) for name, value in outputs.items()}

    def _get_dtypes(self, signature):
        """Returns the dtypes of the outputs, which are requested once: JSON has no dtypes."""
        if self._dtypes is None:
            metadata = self._request("/metadata")["metadata"]["signature_def"]["signature_def"]
            self._dtypes = {
                name: {key: value["dtype"] for key, value in each.get("outputs", {}).items()}
                for name, each in metadata.items()
            }
        if signature not in self._dtypes:
            raise ServingError(
                f"{self.address} has no signature {signature!r}. It has: {sorted(self._dtypes)}",
                "NOT_FOUND",
            )
        return self._dtypes[signature]

    def _request(self, path, body=None):
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
            raise ServingError(f"{self.address}: {code}: {_read_reason(error)}", code) from error
        except TimeoutError as error:
            raise ServingError(
                f"{self.address}: no response in time.", "DEADLINE_EXCEEDED"
            ) from error
        except (urllib.error.URLError, ConnectionError) as error:
            is_timeout = isinstance(getattr(error, "reason", None), TimeoutError)
            code = "DEADLINE_EXCEEDED" if is_timeout else "UNAVAILABLE"
            raise ServingError(f"{self.address}: {code}: {error}", code) from error
        except ValueError as error:
            raise ServingError(
                f"{self.address}: the response is not JSON: {error}", "UNKNOWN"
            ) from error


def _read_reason(error):
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
    if isinstance(value, dict):  # Outputs whose name ends in "_bytes".
        return base64.b64decode(value["b64"])
    return value.encode("utf-8")
