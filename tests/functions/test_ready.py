"""No struct is read by several threads before msgspec has learned its members, which would crash the process."""

import json

from tests.test_function_app import run_code

SETTINGS = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", "MONGODB_URL": "mongodb://localhost"}

FIRST_READINGS = """
import sys, threading
from msgspec import convert, defstruct
from records import make_ready
sys.setswitchinterval(1e-6)
content = {f"a{number}": number for number in range(20)}
for _ in range(200):
    inner = defstruct("Inner", [(name, int | None) for name in content])
    kind = defstruct("Outer", [("one", inner), ("more", tuple[inner, ...])])
    make_ready()
    together = threading.Barrier(6)
    def read():
        together.wait()
        convert({"one": content, "more": [content] * 3}, kind)
    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""

# A Decoder, which all modules make as they are imported, learns then.
LATE = """
import ast, gc, importlib, json
from pathlib import Path
from typing import get_args
import function_app
from functions.services import worker
from msgspec import Struct
def has_learned(kind):
    return any(type(part).__name__ == "StructInfo" for part in gc.get_referents(kind))
def structs_in(kind):
    for own in (kind, *get_args(getattr(kind, "__value__", kind))):
        if isinstance(own, type) and issubclass(own, Struct):
            yield own
        elif own is not kind:
            yield from structs_in(own)
worker().services()
files = [file for package in ("functions", "runs", "stores", "delivery") for file in Path(package).rglob("*.py")]
files += map(Path, ("records.py", "endpoints.py"))
def kinds():
    for file in files:
        names = vars(importlib.import_module(".".join(file.with_suffix("").parts).removesuffix(".__init__")))
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call):
                verb = ast.unparse(call.func).rpartition(".")[2]
                given = call.args[1:2] if verb == "convert" else []
                given += [named.value for named in call.keywords if verb == "decode" and named.arg == "type"]
                for expression in given:
                    try:
                        yield eval(ast.unparse(expression), names)
                    except NameError:
                        pass  # a variable: the queries of routes, which function_app imports
def below(kind):
    for own in kind.__subclasses__():
        yield own
        yield from below(own)
known = {own for own in below(Struct) if has_learned(own)}
read = {own for kind in kinds() for own in structs_in(kind)}
print(json.dumps({"read": len(read), "late": sorted(own.__qualname__ for own in read - known)}))
"""


def test_structs_that_are_ready_can_be_read_by_several_threads_at_once() -> None:
    done = run_code(FIRST_READINGS)
    assert (done.returncode, done.stderr) == (0, "")


def test_everything_that_is_read_is_ready_before_there_are_several_threads() -> None:
    done = run_code(LATE, **SETTINGS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["late"] == []
    assert found["read"] > 20
