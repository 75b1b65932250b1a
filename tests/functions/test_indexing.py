"""Azure's own worker library loads every function: if it refuses one, it loads none, and each route is 404."""

import json
from collections.abc import Iterable
from typing import Any

import azure.durable_functions as df
from azure.functions.decorators.function_app import Function
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.functions import FunctionLoadError, Registry
from azure_functions_runtime.loader import process_indexed_function

from devhost import protos
from tests.test_function_app import ROOT, run_code

# In a separate process: the app reads its settings when it is imported.
INDEX = """
import json, function_app
from tests.functions.test_indexing import refusals
functions = function_app.app.get_functions()
print(json.dumps([bool(functions), refusals(functions)]))
"""


def refusals(functions: Iterable[Function]) -> list[str]:
    """Return the error of the worker library for each function that it refuses."""
    load_binding_registry()
    said = []
    for function in functions:
        try:
            process_indexed_function(protos.load(), Registry(), [function], str(ROOT))
        except FunctionLoadError as error:
            said.append(str(error))
    return said


def test_azures_worker_library_refuses_none_of_the_apps_functions() -> None:
    done = run_code(INDEX, MONGODB_URL="mongodb://localhost", AZURE_FUNCTIONS_ENVIRONMENT="Development")
    assert done.returncode == 0, done.stderr
    found, refused = json.loads(done.stdout)
    assert (found, refused) == (True, [])


def test_a_parameter_of_a_trigger_with_a_generic_type_is_refused_in_the_platforms_own_words() -> None:
    blueprint = df.Blueprint()

    @blueprint.activity_trigger(input_name="message")
    def step(message: dict[str, Any]) -> str:
        return str(message)

    app = df.DFApp()
    app.register_functions(blueprint)
    said = "cannot load the step function: binding message has invalid non-type annotation dict[str, typing.Any]"
    assert refusals(app.get_functions()) == [said]
