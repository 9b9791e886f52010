class ServingError(RuntimeError):
    """A server refused a request, failed at it, or could not be reached in time.

    Attributes:
        code: string, gRPC's name of what happened, such as `"NOT_FOUND"`. REST's are translated.
        is_passing: bool. Whether the same request may well succeed a little later.
    """

    PASSING = ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED")

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code

    @property
    def is_passing(self):
        return self.code in self.PASSING
