"""The function app: its blueprints, and nothing else."""

import azure.durable_functions as df
import azure.functions as func

from functions import activities, orchestration, timers
from functions.http import console, routes
from functions.services import settings

settings()  # a missing or ill-formed setting stops the start and is named

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (routes, console, timers, orchestration, activities):
    app.register_functions(module.blueprint)
