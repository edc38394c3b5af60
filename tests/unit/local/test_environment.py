"""A stack's settings reach its processes whole."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from countinghouse.local.environment import MARK, child_environment, settings_environment
from countinghouse.settings import Settings


def through_the_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize(
    "settings",
    [
        Settings(home=Path("/srv/counting")),
        Settings(home=Path("/srv"), max_event_age=None, max_event_lead=None),
        Settings(home=Path("/srv"), max_event_age=timedelta(days=2, seconds=3)),
        Settings(home=Path("/srv"), production=True, flush_interval=timedelta(milliseconds=50)),
        Settings(home=Path("/srv"), kafka_username="u", kafka_password=SecretStr("p % = '\"")),
        Settings(home=Path("/srv"), kafka="a:1,b:2", clickhouse="http://u:p@h:1/d", seller="A % b"),
    ],
)
def test_a_child_has_the_settings_of_its_stack(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert through_the_environment(settings, monkeypatch) == settings


def test_files_are_absolute_as_what_we_start_may_run_elsewhere() -> None:
    assert Settings(kafka_ca_file="ca.pem").kafka_ca_file == str(Path.cwd() / "ca.pem")


def test_a_password_is_not_shown_with_its_settings() -> None:
    settings = Settings(kafka_password=SecretStr("hush"), kafka_key_password=SecretStr("hush"))
    assert "hush" not in f"{settings} {settings!r} {settings.model_dump_json()}"


def test_the_home_is_absolute_and_marks_every_process(tmp_path: Path) -> None:
    relative = Settings(home=Path("counting"))
    environment = child_environment(relative)
    assert Path(environment["COUNTINGHOUSE_HOME"]) == Path.cwd() / "counting"
    assert environment[MARK] == environment["COUNTINGHOUSE_HOME"]
    assert environment["DAGSTER_HOME"] == str(Path.cwd() / "counting" / "dagster")
