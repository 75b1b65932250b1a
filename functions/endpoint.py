"""What every HTTP function has in common, around its handful of own lines."""

import functools
from collections.abc import Callable
from typing import Any, Literal

import azure.functions as func
import msgspec

from functions.auth import current_admin, require_admin
from functions.problems import MethodNotAllowed, problem_of


def endpoint(
    method: Literal["GET", "POST"], *, public: bool = False
) -> Callable[[Callable[..., func.HttpResponse]], Callable[..., func.HttpResponse]]:
    """Let only ``method`` and, unless ``public``, only administrators in; turn errors into problem documents.

    The method is checked here and not by the route: the host answers 404 to a method its route does not name.
    """

    def decorate(handler: Callable[..., func.HttpResponse]) -> Callable[..., func.HttpResponse]:
        @functools.wraps(handler)
        def guarded(req: func.HttpRequest, *bindings: Any, **named_bindings: Any) -> func.HttpResponse:  # noqa: ANN401
            try:
                if req.method != method:
                    raise MethodNotAllowed(method)
                if not public:
                    current_admin.set(require_admin(req))
                return handler(req, *bindings, **named_bindings)
            except Exception as error:  # noqa: BLE001 - the boundary: no stack trace ever leaves
                return problem_of(error).to_response()

        return guarded

    return decorate


def json_response(content: object, status_code: int = 200, headers: dict[str, str] | None = None) -> func.HttpResponse:
    """Give ``content`` as a JSON answer that nobody keeps: it holds people's figures."""
    return func.HttpResponse(
        msgspec.json.encode(content),
        status_code=status_code,
        headers={"Cache-Control": "no-store", **(headers or {})},
        mimetype="application/json",
    )
