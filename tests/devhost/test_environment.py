from pathlib import Path

import pytest

from devhost.environment import app_environment, local_settings, masked
from devhost.errors import StartError
from devhost.start import StartOptions


def test_the_real_environment_wins_over_local_settings_even_when_empty() -> None:
    local = {"ADMIN_SECRET": "from the file", "RISK_FREE_RATE": "0.01"}
    environment = app_environment(local, {"ADMIN_SECRET": ""}, {})
    assert environment["ADMIN_SECRET"] == ""
    assert environment["RISK_FREE_RATE"] == "0.01"


def test_the_servers_in_use_win_over_local_settings() -> None:
    local = {"MONGODB_URL": "mongodb://127.0.0.1:27017"}
    assert app_environment(local, {"MONGODB_URL": ""}, {"MONGODB_URL": "mongodb://in.use"})["MONGODB_URL"] == (
        "mongodb://in.use"
    )


def test_the_apps_environment_is_development() -> None:
    assert app_environment({}, {}, {})["AZURE_FUNCTIONS_ENVIRONMENT"] == "Development"


def test_an_app_without_local_settings_has_none(tmp_path: Path) -> None:
    assert local_settings(tmp_path) == {}


def test_ill_formed_local_settings_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('{"Values": {"PAGE_SIZE": 200}}')
    with pytest.raises(StartError, match=r"local\.settings\.json .*str.*int"):
        local_settings(tmp_path)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mongodb+srv://ann:s3cr@t@db.example/x?tls=true", "mongodb+srv://ann:***@db.example/x?tls=true"),
        ("redis://:s3cret@cache:6380/0", "redis://:***@cache:6380/0"),
        ("redis://127.0.0.1:6379", "redis://127.0.0.1:6379"),
        ("mongodb://ann@a:1,b:2/x", "mongodb://ann@a:1,b:2/x"),
    ],
)
def test_a_password_in_a_url_is_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize("port", ["x", "-1", "65536", "7071.0"])
def test_an_invalid_port_is_refused_by_name(port: str, tmp_path: Path) -> None:
    with pytest.raises(StartError, match=f"PORT must be a whole number from 0 to 65535, not {port}"):
        StartOptions.read(tmp_path, {"PORT": port}, verbose=False)


def test_without_environment_the_port_is_7071_and_nothing_is_kept(tmp_path: Path) -> None:
    options = StartOptions.read(tmp_path, {"DATA_DIR": ""}, verbose=False)
    assert (options.port, options.data_dir, options.seed) == (7071, None, False)
