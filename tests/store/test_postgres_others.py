"""A PostgreSQL database that others use, too: what they put in our way is not run."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from tap_tiktok_auth.errors import StoreDamaged, StoreError, StoreUnavailable
from tap_tiktok_auth.store import open_store
from tap_tiktok_auth.store.keys import new_key
from tests.store.expect import one_line, run_command
from tests.store.samples import full_record, stored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.store.people import People

pytestmark = pytest.mark.postgres

KEY = new_key()
SCHEMA = "tiktok_auth_store"
#: Notes who runs it; the table is open to all.
SPY = """
    CREATE TABLE public.caught (who text);
    GRANT ALL ON public.caught TO PUBLIC;
    CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN NEW; END $$;
    CREATE FUNCTION public.spy(text) RETURNS text LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN $1; END $$;
    CREATE FUNCTION public.looks(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
"""
#: What can be made to run by itself, however it came into a schema that is ours.
HOSTILE = {
    "trigger": "CREATE TRIGGER t BEFORE UPDATE ON meta FOR EACH ROW EXECUTE FUNCTION public.spy()",
    "constraint trigger": "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON events DEFERRABLE"
    " FOR EACH ROW EXECUTE FUNCTION public.spy()",
    "foreign key": "CREATE TABLE public.mine (name text REFERENCES connections ON DELETE CASCADE)",
    "rule": "CREATE RULE r AS ON UPDATE TO meta DO ALSO SELECT public.spy('x')",
    "forced row security": "ALTER TABLE connections ENABLE ROW LEVEL SECURITY;"
    " ALTER TABLE connections FORCE ROW LEVEL SECURITY;"
    " CREATE POLICY p ON connections USING (public.looks(name))",
    "default": "ALTER TABLE events ALTER error_code SET DEFAULT public.spy('x')",
    "harmless default": "ALTER TABLE events ALTER error_code SET DEFAULT 'x'",
    "generated column": "ALTER TABLE meta ADD g boolean"
    " GENERATED ALWAYS AS (public.looks(name)) STORED",
    "check": "ALTER TABLE connections ADD CHECK (public.looks(payload))",
    "domain": "CREATE DOMAIN public.d AS text CHECK (public.looks(VALUE));"
    " ALTER TABLE connections ALTER redirect_uri TYPE public.d",
    "child": "CREATE TABLE public.child () INHERITS (connections)",
    "parent": 'CREATE TABLE public.parent (name text COLLATE "C", value text COLLATE "C");'
    " ALTER TABLE meta INHERIT public.parent",
    "expression index": "CREATE INDEX ON connections (public.looks(name))",
    "partial index": "CREATE INDEX ON connections (name) WHERE public.looks(name)",
    "operator class": "CREATE OPERATOR CLASS public.mine FOR TYPE text USING btree AS"
    " OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,"
    " FUNCTION 1 bttextcmp(text, text); CREATE INDEX ON connections (name public.mine)",
    "exclusion": "ALTER TABLE pending_logins ADD EXCLUDE USING btree (begun_at WITH =)",
    "view": "ALTER TABLE meta RENAME TO hidden; CREATE VIEW meta AS SELECT * FROM hidden",
    "partitioned table": "DROP TABLE pending_logins;"
    " CREATE TABLE pending_logins (state_hash text, begun_at float8, payload text)"
    " PARTITION BY HASH (state_hash)",
    "unlogged table": "ALTER TABLE events SET UNLOGGED",
    "function": "CREATE FUNCTION now() RETURNS float8 LANGUAGE sql AS 'SELECT 1.0'",
    "operator": "CREATE OPERATOR = (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text)",
    "type": "CREATE DOMAIN bigint AS text",
}  # fmt: skip


def opened(people: People, role: str) -> None:
    """Open the store as a role, write to it and close it."""
    with closing(open_store(people.url(role), KEY)) as store:
        store.check_writable()
        store.commit(full_record("probe", attempt=None, failure=None), None)
        store.forget("probe")


@pytest.mark.parametrize("former", [SCHEMA, "tap_tiktok_auth"])
@pytest.mark.parametrize("superuser", [False, True])
def test_a_schema_made_by_another_role_runs_nothing(
    people: People, tmp_path: Path, former: str, *, superuser: bool
) -> None:
    """Who makes the schema first, and puts a trigger into it, learns and runs nothing."""
    other = people.role()
    opened(people, other)
    if former != SCHEMA:
        people.sql(f"ALTER SCHEMA {SCHEMA} RENAME TO {former}", other)
    people.sql(SPY)
    people.sql(
        f"GRANT ALL ON SCHEMA {former} TO PUBLIC; SET search_path TO {former};"
        f"GRANT ALL ON ALL TABLES IN SCHEMA {former} TO PUBLIC;" + HOSTILE["trigger"],
        other,
    )
    victim = people.url("postgres" if superuser else people.role())
    for command in ("status", "refresh", "doctor"):
        code, said = run_command(victim, KEY, tmp_path, command)
        assert code == 1
        assert f'belongs to the role "{other}"' in said
    assert people.sql("SELECT * FROM public.caught") == []


@pytest.mark.parametrize("what", ["connections", "meta"])
@pytest.mark.parametrize("superuser", [False, True])
def test_a_table_of_another_role_is_not_used(people: People, what: str, *, superuser: bool) -> None:
    """One table of another role among ours is enough to stop."""
    owner = "postgres" if superuser else people.role()
    other = people.role()
    opened(people, owner)
    people.sql(f"ALTER TABLE {SCHEMA}.{what} OWNER TO {other}")
    with one_line(StoreDamaged, f"table {SCHEMA}.{what}", f'belongs to the role "{other}"'):
        opened(people, owner)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("superuser", [False, True])
def test_what_runs_by_itself_is_refused(people: People, hostile: str, *, superuser: bool) -> None:
    """A store that has what this program does not make is refused at each open, in one line."""
    owner = "postgres" if superuser else people.role()
    opened(people, owner)
    people.sql(SPY)
    people.sql(f"SET search_path TO {SCHEMA}; {hostile}")
    if superuser and "ROW LEVEL" in hostile:
        opened(people, owner)  # superusers pass by all row security
        return
    with one_line(StoreDamaged, SCHEMA, "which this program never makes", "remove it"):
        opened(people, owner)
    assert people.sql("SELECT * FROM public.caught") == []


def test_who_was_let_in_cannot_act_as_the_owner(people: People) -> None:
    """A trigger of a role with every right on the tables is refused, until it is removed."""
    owner, other = people.role(), people.role()
    opened(people, owner)
    people.sql(SPY)
    people.sql(
        f"GRANT ALL ON SCHEMA {SCHEMA} TO {other};"
        f"GRANT ALL ON ALL TABLES IN SCHEMA {SCHEMA} TO {other}", owner
    )  # fmt: skip
    people.sql(f"SET search_path TO {SCHEMA}; {HOSTILE['trigger']}", other)
    with one_line(StoreDamaged, "has a trigger", "VACUUM"):
        opened(people, owner)
    assert people.sql("SELECT * FROM public.caught") == []
    people.sql(f"DROP TRIGGER t ON {SCHEMA}.meta", owner)
    people.sql(f"VACUUM {SCHEMA}.meta", owner)
    opened(people, owner)


def test_a_schema_that_another_role_makes_at_this_moment_is_not_used(people: People) -> None:
    """Who creates the schema while we do gains nothing by it, either."""
    owner, other = people.role(), people.role()
    told: list[str] = []

    def work() -> None:
        try:
            opened(people, owner)
        except StoreError as error:
            told.append(str(error))

    with psycopg.connect(people.url(other)) as faster:
        faster.execute(f"CREATE SCHEMA {SCHEMA}")
        thread = threading.Thread(target=work)
        thread.start()
        waits = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{people.database}'"
        while not people.sql(f"{waits} AND wait_event_type = 'Lock'"):
            assert thread.is_alive()
    thread.join()
    assert "changed by somebody else at this moment. Run again" in told[0]
    with one_line(StoreDamaged, f"schema {SCHEMA} of", f'belongs to the role "{other}"'):
        opened(people, owner)


class TestTrust:
    """Whose schema is used, and by whom."""

    def test_the_grant_of_the_message_lets_a_role_make_the_schema(self, people: People) -> None:
        """Without the permission to create the schema the line has the GRANT that gives it."""
        owner = people.role(create=False, odd=True)
        with pytest.raises(StoreUnavailable, match="does not let its user create") as caught:
            opened(people, owner)
        grant = str(caught.value).partition("run: ")[2]
        assert grant == f'GRANT CREATE ON DATABASE "{people.database}" TO {owner};'
        people.sql(grant)
        opened(people, owner)

    @pytest.mark.parametrize("superuser", [False, True])
    def test_the_owner_of_the_database_or_a_superuser(
        self, people: People, *, superuser: bool
    ) -> None:
        """A schema of theirs is used by those whom it grants the least to."""
        owner, worker = people.role(odd=True), people.role(create=False, odd=True)
        people.sql(f"ALTER DATABASE {people.database} OWNER TO {owner}")
        maker = "postgres" if superuser else owner
        opened(people, maker)
        with pytest.raises(StoreUnavailable, match="refuses its user a permission") as caught:
            opened(people, worker)
        grants = str(caught.value).partition("run: ")[2]
        assert "ALL ON SCHEMA" not in grants
        assert "CREATE" not in grants
        people.sql(grants, maker)
        opened(people, worker)

    def test_a_role_that_we_are_a_member_of(self, people: People) -> None:
        """Roles that are members of the owner share the store."""
        owner, worker = people.role(odd=True), people.role(create=False, odd=True)
        opened(people, owner)
        with one_line(StoreDamaged, f"GRANT {owner} TO {worker}"):
            opened(people, worker)
        people.sql(f"GRANT {owner} TO {worker}")
        opened(people, worker)

    def test_a_membership_without_its_rights_is_none(self, people: People) -> None:
        """Who created a role, and so administers it, does not trust what it makes."""
        maker = people.role(odd=True, options="CREATEROLE")
        other = people.role(odd=True)
        people.sql(f"GRANT {other} TO {maker} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE")
        opened(people, other)
        with one_line(StoreDamaged, f"belongs to the role {other}"):
            opened(people, maker)


class TestOpenToAll:
    """Rights that nobody gave on purpose."""

    def test_default_privileges_give_none(self, people: People) -> None:
        """Default privileges for everybody do not open the new schema."""
        owner, other = people.role(odd=True), people.role(odd=True)
        people.sql(
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO PUBLIC;"
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC", owner
        )  # fmt: skip
        with closing(open_store(people.url(owner), KEY)) as store:
            stored(store)
            assert list(store.exposures()) == []
        for statement in ("SELECT FROM {}.connections", "CREATE TABLE {}.mine ()"):
            with pytest.raises(Exception, match="permission denied for schema"):
                people.sql(statement.format(SCHEMA), other)

    def test_writers_are_told(self, people: People) -> None:
        """Every role that may write, and is no member of the owner, is named, with the REVOKE."""
        owner, reader, writer, member = (people.role(odd=True) for _ in range(4))
        with closing(open_store(people.url(owner), KEY)) as store:
            people.sql(
                f"GRANT USAGE ON SCHEMA {SCHEMA} TO {reader}, {writer};"
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO {reader};"
                f"GRANT TRIGGER ON {SCHEMA}.meta TO {writer}", owner
            )  # fmt: skip
            people.sql(f"GRANT {owner} TO {member}")
            for who, grant in ((writer, ""), ("PUBLIC", f"GRANT ALL ON SCHEMA {SCHEMA} TO PUBLIC")):
                people.sql(grant, owner)
                ((warning, repair),) = store.exposures()
                assert warning.endswith(f"not only its owner may write to it, but {who}, too")
                people.sql(repair.partition("run: ")[2], owner)
                assert list(store.exposures()) == []
