"""The function app: its blueprints, and nothing else."""

import azure.durable_functions as df
import azure.functions as func

from functions import activities, delivery, orchestration, timers
from functions.http.console import pages
from functions.http.routes import api
from functions.services import worker

worker()  # a missing or ill-formed setting stops the start and is named

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for part in (api, pages, timers, orchestration, delivery, activities):
    app.register_functions(part.blueprint)
