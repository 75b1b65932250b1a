class StartError(Exception):
    """The app or one of its services cannot be started. The message is one line; ``detail`` is for --verbose."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class InvocationError(Exception):
    """A function invocation failed: the function raised, or its worker process ended."""

    def __init__(self, error_type: str, message: str, stack: str = "") -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message
        self.stack = stack


class WorkerExitedError(InvocationError):
    """The worker process ended while it ran the function."""

    def __init__(self, pid: int, exit_code: int | None) -> None:
        super().__init__("WorkerProcessExitException", f"worker process {pid} exited with code {exit_code}")
