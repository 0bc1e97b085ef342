"""PostgreSQL stores of earlier versions; 0.1.0 had its tables where Meltano's loaders write."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import StoreDamaged, StoreTooNew, StoreUnavailable
from tap_tiktok_auth.store import Store, open_store, schema
from tests.fixtures import VERSIONS, Folder
from tests.store.expect import one_line
from tests.store.samples import renewed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.store.people import People

pytestmark = pytest.mark.postgres

FIRST = VERSIONS[0]
OLD, NEW = (files.schema for files in VERSIONS)


def restore(people: People, owner: str = "postgres", files: Folder = FIRST) -> None:
    """Put the dump into the database, as its owner would."""
    people.sql(files.text("postgres.sql"), owner)


def rows(people: People, files: Folder, where: str) -> dict[str, list[str]]:
    """Return what the version has put into the tables, as PostgreSQL writes it."""
    found = {}
    for line in files.text("postgres.sql").splitlines():
        if match := re.match(rf"INSERT INTO {files.schema}\.(\w+) \((.+?)\)", line):
            table, columns = match.groups()
            if where == NEW:
                columns = columns.replace("lease_holder", "held_by")
                columns = columns.replace("lease_until", "held_until")
            select = f"SELECT ROW({columns})::text FROM {where}.{table} ORDER BY 1"
            found[table] = [str(row) for (row,) in people.sql(select)]
    found["meta"] = [row for row in found["meta"] if "schema_version" not in row]
    return found


def opened(people: People, role: str = "postgres", files: Folder = FIRST) -> Store:
    """Open the store as a role."""
    return open_store(people.url(role), files.text("postgres.key"))


@pytest.mark.parametrize("files", VERSIONS, ids=str)
def test_everything_is_taken_along(people: People, files: Folder) -> None:
    """All rows come along as they are, tokens open, and the login that waits can be finished."""
    restore(people, files=files)
    before = rows(people, files, files.schema)
    with closing(opened(people, files=files)) as store:
        assert rows(people, files, NEW) == before
        files.expect_content(store)
        login = store.take_login(files.content["login_state"], max_age=float("inf"))
        assert login is not None
        assert login.api in {"accounts", "login_kit"}
        record = store.read("shop")
        assert record is not None
        assert store.commit(renewed(record), None, before=record)
    with closing(opened(people, files=files)) as store:
        assert store.read("shop") == renewed(record)


def test_a_program_of_the_old_version_is_told(people: People) -> None:
    """What is left behind tells version 0.1.0 that the store is newer, so that it makes none."""
    restore(people)
    opened(people).close()
    assert people.sql(f"SELECT value::int > 1 FROM {OLD}.meta WHERE name = 'schema_version'") == [
        (True,)
    ]
    assert people.sql(f"SELECT tablename FROM pg_tables WHERE schemaname = '{OLD}'") == [("meta",)]
    # Version 0.1.0 reads the version like this, as any role.
    people.sql(f"GRANT USAGE ON SCHEMA {OLD} TO PUBLIC")
    ((version,),) = people.sql(
        f"SELECT value FROM {OLD}.meta WHERE name = 'schema_version'", people.role()
    )
    with one_line(StoreTooNew, "newer tap-tiktok-auth"):
        schema.check(int(str(version)), "the store")


def test_the_tables_of_loaders_stay(people: People) -> None:
    """What loaders have put beside the tables, or into them, does not keep the store there."""
    restore(people)
    people.sql(
        f"SET search_path TO {OLD};"
        "CREATE TABLE advertiser_ids (connection varchar DEFAULT 'x', seen timestamptz);"
        "INSERT INTO advertiser_ids VALUES ('acme', now());"
        "ALTER TABLE advertisers ADD advertiser_name varchar, ADD balance numeric, ADD tags jsonb;"
        "CREATE VIEW report AS SELECT name, status FROM connections"
    )
    with closing(opened(people)) as store:
        FIRST.expect_content(store)
    assert len(people.sql(f"SELECT * FROM {OLD}.report")) == len(FIRST.content["records"])
    assert len(people.sql(f"SELECT * FROM {OLD}.advertiser_ids")) == 1


def test_the_schema_of_a_loader_is_no_store(people: People) -> None:
    """Where only a loader wrote, even as another role, a store is made beside its tables."""
    loader, owner = people.role(), people.role()
    people.sql(
        f"CREATE SCHEMA {OLD}; SET search_path TO {OLD};"
        "CREATE TABLE advertisers (connection varchar); CREATE TABLE token_events (id bigint)",
        loader,
    )
    with closing(opened(people, owner)) as store:
        assert store.records() == []
    names = people.sql(f"SELECT tablename FROM pg_tables WHERE schemaname = '{OLD}' ORDER BY 1")
    assert names == [("advertisers",), ("token_events",)]


def test_all_who_open_it_at_once_find_it(people: People) -> None:
    """Many programs that open the store for the first time at once all find everything in it."""
    restore(people)
    found: list[int] = []

    def work() -> None:
        with closing(opened(people)) as store:
            found.append(len(store.records()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [len(FIRST.content["records"])] * 8


@pytest.mark.parametrize("files", VERSIONS, ids=str)
def test_commands_find_it(people: People, tmp_path: Path, files: Folder) -> None:
    """`tiktok-auth token` works as the first thing that the new version does."""
    restore(people, files=files)
    acme = files.content["records"]["acme"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TAP_TIKTOK_AUTH_TOKEN_STORE": people.url("postgres"),
        "TAP_TIKTOK_AUTH_TOKEN_STORE_KEY": files.text("postgres.key"),
    }
    if "origin" in acme:
        environment["TAP_TIKTOK_AUTH_BUSINESS_API_URL"] = acme["origin"]
    program = "import sys; from tap_tiktok_auth.command import tiktok_auth; sys.exit(tiktok_auth())"
    done = subprocess.run(
        [sys.executable, "-c", program, "token", "acme"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == acme["token"]["access_token"]


class TestTwoRoles:
    """The store belongs to one role, and another one was let in."""

    def test_the_other_waits_for_the_owner(self, people: People) -> None:
        """The other role is told who must come first, makes no second store, and then goes on."""
        owner, worker, newcomer = people.role(), people.role(create=False), people.role()
        database = people.url(owner).rpartition("/")[2]
        people.sql(f"ALTER DATABASE {database} OWNER TO {owner}")
        restore(people, owner)
        # As version 0.1.0 advised.
        people.sql(
            f"GRANT ALL ON SCHEMA {OLD} TO {worker};"
            f"GRANT ALL ON ALL TABLES IN SCHEMA {OLD} TO {worker}", owner
        )  # fmt: skip
        for role in (worker, newcomer):
            with one_line(StoreUnavailable, f'Run once as its owner "{owner}": tiktok-auth status'):
                opened(people, role)
        assert people.sql(f"SELECT FROM pg_namespace WHERE nspname = '{NEW}'") == []
        opened(people, owner).close()
        with closing(opened(people, worker)) as store:
            FIRST.expect_content(store)
            record = store.read("shop")
            assert record is not None
            assert store.commit(renewed(record), None, before=record)

    def test_a_member_moves_it_for_the_owner(self, people: People) -> None:
        """A member of the owner may come first; the store goes on belonging to the owner."""
        owner, member = people.role(), people.role()
        restore(people, owner)
        people.sql(f"GRANT {owner} TO {member}")
        for role in (member, owner):
            with closing(opened(people, role)) as store:
                FIRST.expect_content(store)
                store.check_writable()
        owners = people.sql(
            f"SELECT tableowner FROM pg_tables WHERE schemaname = '{NEW}' UNION SELECT"
            f" nspowner::regrole::text FROM pg_namespace WHERE nspname = '{NEW}'"
        )
        assert owners == [(owner,)]

    def test_a_stranger_gets_nothing(self, people: People) -> None:
        """A role that was let in by a stranger is told whose the store is."""
        owner, worker = people.role(), people.role()
        restore(people, owner)
        people.sql(
            f"GRANT ALL ON SCHEMA {OLD} TO {worker};"
            f"GRANT ALL ON ALL TABLES IN SCHEMA {OLD} TO {worker}", owner
        )  # fmt: skip
        with one_line(StoreDamaged, f'belongs to the role "{owner}"', "GRANT"):
            opened(people, worker)
        people.sql(f"GRANT {owner} TO {worker}")
        with closing(opened(people, worker)) as store:
            FIRST.expect_content(store)

    def test_an_owner_who_may_make_no_schema_is_told(self, people: People) -> None:
        """An owner for whom somebody else made the old schema is told what to ask for."""
        owner = people.role(create=False)
        people.sql(f"CREATE SCHEMA {OLD} AUTHORIZATION {owner}")
        dump = FIRST.text("postgres.sql")
        people.sql(dump.replace(f"CREATE SCHEMA {OLD};", ""), owner)
        with pytest.raises(StoreUnavailable, match="does not let its user create") as caught:
            opened(people, owner)
        people.sql(str(caught.value).partition("run: ")[2])
        with closing(opened(people, owner)) as store:
            FIRST.expect_content(store)
