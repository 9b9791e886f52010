class ServingError(RuntimeError):
    """A server rejected a request, failed, or could not be reached in time.

    Attributes:
        code: string. The gRPC status, such as `"NOT_FOUND"`; REST errors are translated.
        is_transient: bool. Whether the same request may succeed later.
    """

    TRANSIENT = ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED")

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code

    @property
    def is_transient(self):
        return self.code in self.TRANSIENT
