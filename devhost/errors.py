class StartError(Exception):
    """The app or one of its services cannot start. The message is one line; ``detail`` is shown with --verbose."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class HostEndedError(Exception):
    """So many worker processes exited that the Functions host ends itself, so that the platform starts another one."""

    def __init__(self, deaths: int) -> None:
        super().__init__(
            f"Exceeded language worker restart retry count: {deaths} worker processes exited. In Azure, the "
            "platform now starts another host; here, start the app again."
        )


class InvocationError(Exception):
    """A function invocation failed: the function raised an error, or its worker process exited."""

    def __init__(self, error_type: str, message: str, stack: str = "") -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message
        self.stack = stack


class WorkerExitedError(InvocationError):
    """The worker process exited during the function."""

    def __init__(self, pid: int, exit_code: int | None) -> None:
        super().__init__("WorkerProcessExitException", f"worker process {pid} exited with code {exit_code}")


class FunctionTimeoutError(InvocationError):
    """The function ran longer than ``functionTimeout`` of host.json, and its worker process was killed."""

    def __init__(self, function: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(
            "FunctionTimeoutException", f"{function} took longer than the functionTimeout of {seconds:g} s"
        )
