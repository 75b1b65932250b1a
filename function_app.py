"""The function app: its blueprints, and nothing else."""

import azure.durable_functions as df
import azure.functions as func

from functions import activities, admin_api, console, orchestration, schedule
from functions.services import settings

settings()  # a missing or ill-formed setting stops the start and is named

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for module in (admin_api, console, schedule, orchestration, activities):
    app.register_functions(module.blueprint)
