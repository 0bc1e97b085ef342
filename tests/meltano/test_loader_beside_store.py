"""A loader that writes into the database in which the token store is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml

from tap_tiktok_auth.simulator import Simulator
from tests.meltano.test_meltano import ROOT, Meltano
from tests.postgres_server import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres_server import PostgresServer

pytestmark = [
    pytest.mark.meltano,
    pytest.mark.postgres,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("meltano"),
]

FIXTURES = ROOT / "tests" / "fixtures" / "store-0.1"
KEY = (FIXTURES / "postgres.key").read_text(encoding="utf-8").strip()
RUN = ("run", "tap-tiktok-auth", "target-postgres")


def define(project: Path, load_schema: str | None) -> None:
    """Write the project's `meltano.yml`: our own, but for the extractor's `load_schema`."""
    text = (ROOT / "meltano.yml").read_text(encoding="utf-8")
    definition = yaml.safe_load(text.replace("-e .[postgres]", f"-e '{ROOT}[postgres]'"))
    assert definition["plugins"]["extractors"][0].pop("load_schema") == "tiktok_auth"
    if load_schema:
        definition["plugins"]["extractors"][0]["load_schema"] = load_schema
    (project / "meltano.yml").write_text(yaml.safe_dump(definition), encoding="utf-8")


@pytest.fixture(scope="module", name="project")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project whose extractor is listed by hand, without a `load_schema`."""
    project = tmp_path_factory.mktemp("project")
    define(project, None)
    Meltano(project, {}).succeed("install", "tap-tiktok-auth", "target-postgres")
    return project


@pytest.fixture(name="simulator")
def _simulator() -> Iterator[Simulator]:
    with Simulator(seed="beside") as simulator:
        yield simulator


class Runs:
    """Runs into one database.

    Args:
        project: The project.
        simulator: The TikTok of the tap.
        server: The server.
        database: The database of the loader, and of the store unless it is elsewhere.
    """

    def __init__(
        self, project: Path, simulator: Simulator, server: PostgresServer, database: str
    ) -> None:
        self._project = project
        self._loader = {
            "TARGET_POSTGRES_HOST": "127.0.0.1",
            "TARGET_POSTGRES_PORT": str(server.port),
            "TARGET_POSTGRES_USER": "postgres",
            "TARGET_POSTGRES_PASSWORD": PASSWORD,
            "TARGET_POSTGRES_DATABASE": database,
        }
        self.url = server.url(database)
        self._settings = {**simulator.settings("marketing"), "token_store_key": KEY}
        self._settings["token_store"] = self.url

    def run(self, *arguments: str, **settings: str) -> None:
        """Run Meltano; it must succeed."""
        meltano = Meltano(self._project, {**self._settings, **settings})
        meltano.environment.update(self._loader)
        meltano.succeed(*(arguments or RUN))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement in the database and return its rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def loaded(self, schema: str = "tap_tiktok_auth") -> set[str]:
        """Return the connections of the rows that the loader wrote."""
        return {name for (name,) in self.sql(f"SELECT connection FROM {schema}.token_metadata")}

    def columns(self) -> int:
        """Return how many columns the store's ad accounts have."""
        ((count,),) = self.sql(
            "SELECT count(*) FROM information_schema.columns"
            " WHERE table_schema = 'tiktok_auth_store' AND table_name = 'advertisers'"
        )
        return int(count)


@pytest.fixture(name="runs")
def _runs(
    project: Path, simulator: Simulator, postgres_server: PostgresServer, postgres_database: str
) -> Runs:
    return Runs(project, simulator, postgres_server, postgres_database)


def test_the_store_first(runs: Runs) -> None:
    """The store is there when the loader comes: both have their tables, and the next run works."""
    runs.run("invoke", "tap-tiktok-auth:refresh")
    runs.run()
    runs.run()
    assert runs.loaded() == {"default"}
    assert runs.columns() == 7


def test_the_loader_first(runs: Runs, simulator: Simulator, tmp_path: Path) -> None:
    """The loader's tables are there when the store comes."""
    elsewhere = f"sqlite:///{tmp_path}/store/tokens.db"
    runs.run(token_store=elsewhere, auth_code=simulator.authorize("marketing"))
    runs.run()
    runs.run()
    assert runs.loaded() == {"default"}
    assert runs.columns() == 7


def test_a_store_of_version_0_1(runs: Runs) -> None:
    """A store that stands in the loader's schema makes room, and what it leaves disturbs nobody."""
    runs.sql((FIXTURES / "postgres.sql").read_text(encoding="utf-8"))
    runs.run()
    runs.run()
    content = json.loads((FIXTURES / "postgres.json").read_text(encoding="utf-8"))
    kept = {name for (name,) in runs.sql("SELECT name FROM tiktok_auth_store.connections")}
    assert kept == {*content["records"], "default"}
    assert runs.loaded() == {"default"}
    assert runs.columns() == 7
    assert runs.sql("SELECT value::int > 1 FROM tap_tiktok_auth.meta LIMIT 1") == [(True,)]


def test_the_definition_names_a_schema(runs: Runs, project: Path) -> None:
    """With our own definition the rows go into a schema that is named for them."""
    define(project, "tiktok_auth")
    try:
        runs.run()
    finally:
        define(project, None)
    assert runs.loaded("tiktok_auth") == {"default"}
