"""A repository with two environments in Azure, for a deployment from a tag to production.

Everything outside the shell steps is a stand-in that behaves as the real one does: ``az``, the app, GitHub's actions.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, override
from zipfile import ZipFile, ZipInfo

from stores.mongo import connect
from tests.infra.azure import CLUSTER, OWNER, SECRET, Azure
from tests.infra.bicep import ROOT
from tests.infra.workflow import Machine, Ran, Result, Runner, read

WORKFLOWS = ROOT / ".github" / "workflows"
# Its name, which changes with its region.
PRODUCTION: str = read(WORKFLOWS / "deploy.yml")["jobs"]["production"]["with"]["environment"]
REPOSITORY = "owner/portfolio"
PACKAGE = "portfolio-analysis.zip"
COMPONENT = "providers/Microsoft.Insights/components/appi"
USERS = f"providers/Microsoft.DocumentDB/mongoClusters/{CLUSTER}/users"

# By environment: what the scripts grant, since it is the same in every test that does not change them.
_GRANTED: dict[str, dict[str, Any]] = {}


class _App(BaseHTTPRequestHandler):
    """The deployed app: no function is loaded before there is a package; the users are those in the database."""

    protocol_version = "HTTP/1.1"
    azure: Azure
    mongodb: tuple[str, str]

    def do_GET(self) -> None:
        if not self.azure["functions_load"]:
            self._answer(404, {})
        elif self.path == "/api/health":
            self._answer(200, {"status": "ok"})
        elif self.headers.get("X-Admin-Secret") != SECRET:
            self._answer(401, {})
        elif self.path == "/api/admin/portfolio/schedule":
            self._answer(200, {"watchdog": self.azure["watchdog"]})
        else:
            url, database = self.mongodb
            with connect(url) as client:
                users = len(client[database]["holdings"].distinct("user_id"))
            self._answer(200, {"status": "completed", "users_to_analyze": users, "users_analyzed": users})

    def do_POST(self) -> None:
        # The host does not pass on a chunked body.
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("X-Admin-Secret") != SECRET:
            self._answer(401, {})
        elif "Transfer-Encoding" in self.headers or json.loads(body or b"{}") != {"dry_run": True}:
            self._answer(411, {})
        else:
            self._answer(202, {"status": "started", "run_id": "run_20270115_140000_abcd"})

    def _answer(self, status: int, members: dict[str, object]) -> None:
        body = json.dumps(members).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def app_of(azure: Azure, mongodb: tuple[str, str]) -> Iterator[str]:
    """Serve an environment's app and yield its address."""
    handler = type("App", (_App,), {"azure": azure, "mongodb": mongodb})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@dataclass
class _Machine:
    """A fresh machine of GitHub: an empty folder, until the repository is checked out."""

    afternoon: "Afternoon"
    folder: Path
    azure: Azure | None
    identity: str
    environment: dict[str, str]

    def act(self, action: str, options: dict[str, Any]) -> dict[str, str]:
        artifact = self.afternoon.folder / "artifact"
        match action:
            case "actions/checkout":
                self.afternoon.check_out(self.folder)
            case "azure/login":
                assert self.azure is not None
                self.azure.sign_in(self.identity)
            case "actions/attest":
                checksum = hashlib.sha256((self.folder / options["subject-path"]).read_bytes()).hexdigest()
                by = f"{REPOSITORY}/.github/workflows/deploy.yml"
                bundle = self.folder / "attestation.json"
                bundle.write_text(f"{checksum} {by} refs/tags/{self.afternoon.tag}")
                assert (self.folder / options.get("sbom-path", options["subject-path"])).is_file()
                return {"bundle-path": str(bundle)}
            case "actions/upload-artifact":
                files = list(self.folder.glob(options["path"]))
                artifact.mkdir()
                for file in files:
                    shutil.copy(file, artifact)
            case "actions/download-artifact":
                shutil.copytree(artifact, self.folder / options["path"])
            case "actions/setup-python" | "actions/setup-node":
                pass
            case _:
                raise AssertionError(action)
        return {}


@dataclass
class Afternoon:
    """What happens between a tag and production; ``changed`` texts of workflows and scripts are a test's.

    ``done`` are the jobs that are not run, with their results.
    """

    folder: Path
    staging: Azure
    production: Azure
    tag: str = "v1.4.0"
    branch: str = ""
    """If it is begun by hand, on a branch."""
    changed: dict[str, str] = field(default_factory=dict)
    done: dict[str, Result] = field(default_factory=lambda: {"checks": "success"})

    @property
    def releases(self) -> Path:
        return self.folder / "releases"

    def check_out(self, folder: Path) -> None:
        """Put the repository there, as far as the workflows use it."""
        for name in ("infra", "console"):
            (folder / name).symlink_to(ROOT / name)
        for path in [*(ROOT / "scripts").iterdir(), ROOT / "host.json"]:
            copy = folder / path.relative_to(ROOT)
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(self._edited(path.read_text()))
            copy.chmod(path.stat().st_mode)

    def grant_all(self) -> None:
        """Grant all identities what they have after the first deployment, and nothing else."""
        both = (self.staging, self.production)
        if self.changed or not _GRANTED:
            for azure in both:
                azure.set(assignments=[OWNER], custom_roles={}, clusters={})
                self.grant_pipeline(azure)
            self.staging.deployed()
            self.grant_staging()
            self.staging.set(deployments=[], budget=None, package=None, functions_load=False)
        if self.changed:
            return
        for azure in both:
            kept = {name: azure[name] for name in ("assignments", "custom_roles", "clusters", "group")}
            azure.set(**_GRANTED.setdefault(azure.environment, kept))

    def grant_pipeline(self, azure: Azure) -> None:
        """Let an environment's identities preview and deploy."""
        name = azure.environment
        for what, identity in (("preview", f"id-{name}-preview"), ("deploy", f"id-{name}")):
            self._as_owner(azure, "grant-pipeline", what, name, identity)

    def grant_staging(self) -> None:
        """Let staging's identity use the one secret and the one database."""
        self._as_owner(self.staging, "grant-staging", "id-staging")

    def _as_owner(self, azure: Azure, script: str, *arguments: str) -> None:
        folder = self.folder / f"owner-{len(list(self.folder.glob('owner-*')))}"
        folder.mkdir()
        self.check_out(folder)
        azure.sign_in()
        done = azure.run(script, *arguments, scripts=folder / "scripts")
        assert done.returncode == 0, done.stderr
        azure.set(asked=[], signed_in=None)

    def deploy(self, **inputs: object) -> Ran:
        """Run the workflow for the tag, or one started by hand with inputs."""
        return self._run("deploy", inputs)

    def roll_back(self, release: str, environment: str = PRODUCTION, **inputs: object) -> Ran:
        return self._run("rollback", {"release": release, "environment": environment, **inputs})

    def release(self, tag: str, content: bytes, *, signed_by: str = "deploy.yml") -> str:
        """Make a release of an earlier time, and return the checksum of its package."""
        folder = self.releases / tag
        folder.mkdir(parents=True)
        with ZipFile(folder / PACKAGE, "w") as archive:
            for name, text in {"function_app.py": content, "host.json": (ROOT / "host.json").read_bytes()}.items():
                entry = ZipInfo(name)
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, text)
        checksum = hashlib.sha256((folder / PACKAGE).read_bytes()).hexdigest()
        (folder / f"{PACKAGE}.sha256").write_text(f"{checksum}  {PACKAGE}\n")
        by = f"{REPOSITORY}/.github/workflows/{signed_by}"
        (folder / f"{PACKAGE}.sigstore.json").write_text(f"{checksum} {by} refs/tags/{tag}")
        return checksum

    def _run(self, workflow: str, inputs: dict[str, object]) -> Ran:
        shutil.rmtree(self.folder / "artifact", ignore_errors=True)
        github = {"ref": f"refs/heads/{self.branch}" if self.branch else f"refs/tags/{self.tag}", "token": "a token"}
        runner = Runner(self._machine, github, self._edited, self.done)
        runner.workflow(WORKFLOWS / f"{workflow}.yml", inputs)
        return runner.ran

    def _edited(self, text: str) -> str:
        for old, new in self.changed.items():
            text = text.replace(old, new)
        return text

    def _machine(self, job: dict[str, Any], environment: str) -> Machine:
        del job
        name = environment.removesuffix("-preview")
        azure = {"staging": self.staging, PRODUCTION: self.production}.get(name)
        folder = self.folder / f"machine-{len(list(self.folder.glob('machine-*')))}"
        folder.mkdir()
        variables = (azure or self.staging).programs | {
            "HOME": str(folder),
            "no_proxy": "*",
            "PATIENCE": "0",  # what does not answer at once never does
            "PAUSE": "0",
            "RELEASES": str(self.releases),
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_REF_NAME": self.tag,
            "GITHUB_RUN_ID": "123456",
            "GITHUB_RUN_ATTEMPT": "1",
        }
        return _Machine(self, folder, azure, f"id-{environment}", variables)


@contextmanager
def an_afternoon(folder: Path, mongodb_url: str, databases: dict[str, str]) -> Iterator[Afternoon]:
    """Yield an afternoon before the first deployment: nobody has a role, nothing is there, the databases are empty."""
    with ExitStack() as stack:
        azures = {}
        for name, database in databases.items():
            azure = azures[name] = Azure(folder / name, name)
            url = stack.enter_context(app_of(azure, (mongodb_url, database)))
            outputs = {
                "AZURE_LOCATION": "westeurope",
                "AZURE_RESOURCE_GROUP": f"rg-portfolio-{name}",
                "AZURE_FUNCTION_NAME": f"func-{name}",
                "AZURE_KEY_VAULT_NAME": "kv-0",
                "APP_URL": url,
                "APPLICATION_INSIGHTS_ID": azure.group(COMPONENT),
                "MONGODB_APP_USER_ID": azure.group(USERS, "id-app") if name == "staging" else "",
            }
            settings = {
                "MONGODB_URL": mongodb_url,
                "MONGODB_DATABASE": database,
                "KEY_VAULT_URL": "https://kv-0.vault.azure.net",
                "MARKET_DATA_PROVIDER": "sample",
                "ANALYSIS_SCHEDULE": "0 0 1 * * *",
            }
            azure.set(outputs=outputs, settings=settings)
        (folder / "releases").mkdir()
        yield Afternoon(folder, azures["staging"], azures[PRODUCTION])
