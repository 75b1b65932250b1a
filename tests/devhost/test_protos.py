"""The messages of the worker library can be loaded beside this repository's ``tests`` and other compiled messages."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from devhost import protos

_BESIDE_OTHERS = """
import azure.durable_functions, durabletask.internal.orchestrator_service_pb2, tests.devhost.test_protos
from devhost import protos
messages = protos.load()
sent = messages.StreamingMessage(request_id="1", invocation_request=messages.InvocationRequest(invocation_id="2"))
received = messages.StreamingMessage.FromString(sent.SerializeToString())
print(received.WhichOneof("content"), received.invocation_request.invocation_id)
"""


def test_the_messages_load_beside_the_durable_sdks_own_and_a_package_that_is_also_called_tests() -> None:
    command = [sys.executable, "-W", "error", "-c", _BESIDE_OTHERS]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.stdout, said.stderr) == ("invocation_request 2\n", "")


def test_loading_again_returns_the_same_messages() -> None:
    assert protos.load() is protos.load()


def test_the_messages_have_each_name_that_the_worker_library_uses() -> None:
    library = find_spec("azure_functions_runtime")
    assert library is not None
    assert library.origin is not None
    sources = [path.read_text(encoding="utf-8") for path in Path(library.origin).parent.rglob("*.py")]
    taken = {name for source in sources for name in re.findall(r"\bprotos\.([A-Z]\w+)", source)}
    assert {"InvocationResponse", "StatusResult"} <= taken
    assert [name for name in sorted(taken) if not hasattr(protos.load(), name)] == []
