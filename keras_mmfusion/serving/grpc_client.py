"""A client of TensorFlow Serving's gRPC interface."""

from keras_mmfusion.serving.client_inputs import check_inputs
from keras_mmfusion.serving.retries import call_with_retries, check_settings
from keras_mmfusion.serving.serving_error import ServingError


class GrpcClient:
    """A client of a model on TensorFlow Serving, over gRPC.

    ```python
    with GrpcClient("localhost:8500", "captioner") as client:
        client.predict({"image_bytes": [open("photo.jpg", "rb").read()]})["captions"]
    ```

    Needs the extra `serving`.

    Args:
        address: string, `"host:port"`.
        model: string. The model's name on the server.
        version: int or `None` for the latest.
        label: string or `None`. The label of a version on the server, such as `"stable"`.
        timeout: float. The maximum number of seconds for a prediction, with retries.
        retries: int. How often a request is sent again after a transient error.
        max_bytes: int. The maximum size of sent and received messages.

    Raises:
        ImportError: if `tensorflow-serving-api` is not installed.
        ValueError: if both a version and a label are given, or an argument is invalid.
    """

    def __init__(
        self,
        address,
        model,
        version=None,
        label=None,
        timeout=10.0,
        retries=3,
        max_bytes=64 * 2**20,
    ):
        check_settings(timeout, retries, version, label)
        try:
            import grpc
            from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
        except ImportError as error:
            raise ImportError(
                'GrpcClient needs `pip install "keras-mmfusion[serving]"`. RestClient does not.'
            ) from error
        self.address, self.model = address, model
        self.version, self.label = version, label
        self.timeout, self.retries = timeout, retries
        limits = [
            (f"grpc.max_{direction}_message_length", max_bytes) for direction in ("send", "receive")
        ]
        self._channel = grpc.insecure_channel(address, options=limits)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._request_type = predict_pb2.PredictRequest
        self._rpc_error = grpc.RpcError

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
        import tensorflow as tf

        request = self._request_type()
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        if self.version is not None:
            request.model_spec.version.value = self.version
        if self.label is not None:
            request.model_spec.version_label = self.label
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = call_with_retries(
            lambda seconds: self._call(request, seconds), self.timeout, self.retries
        )
        return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}

    def _call(self, request, seconds):
        try:
            return self._stub.Predict(request, timeout=max(seconds, 0.0))
        except self._rpc_error as error:
            code = error.code().name
            raise ServingError(
                f"Model {self.model!r} on {self.address}: {code}: {error.details()}", code
            ) from error

    def close(self):
        """Closes the connection."""
        self._channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
