"""A client of TensorFlow Serving's gRPC interface."""

from keras_mmfusion.serving.client_inputs import check_inputs
from keras_mmfusion.serving.retries import call_with_retries, check_settings
from keras_mmfusion.serving.serving_error import ServingError


class GrpcClient:
    """Asks a model on TensorFlow Serving over gRPC.

    ```python
    with GrpcClient("localhost:8500", "captioner") as client:
        client.predict({"image_bytes": [open("photo.jpg", "rb").read()]})["captions"]
    ```

    Needs the extra `serving`.

    Args:
        address: string, `"host:port"`.
        model: string. The model's name on the server.
        version: int or `None`: the latest.
        label: string or `None`. A version's label on the server, such as `"stable"`.
        timeout: float. Seconds that a prediction may take, its retries included.
        retries: int. How often a request that failed for a moment is sent again.
        max_bytes: int. The largest message that is sent or taken.

    Raises:
        ImportError: without the stubs of `tensorflow-serving-api`.
        ValueError: if both a version and a label are given, or a setting is unfit.
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
                'GrpcClient needs `pip install "keras-mmfusion[serving]"`; RestClient does not.'
            ) from error
        self.address, self.model = address, model
        self.version, self.label = version, label
        self.timeout, self.retries = timeout, retries
        limits = [(f"grpc.max_{way}_message_length", max_bytes) for way in ("send", "receive")]
        self._channel = grpc.insecure_channel(address, options=limits)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._request_type = predict_pb2.PredictRequest
        self._rpc_error = grpc.RpcError

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
