"""The schema in PostgreSQL: whether it is ours alone, where it was before, and how it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import StoreDamaged, StoreUnavailable

if TYPE_CHECKING:
    from tap_tiktok_auth.store.database import Cursor

#: Its own: not the extractor's namespace, into which Meltano's loaders write by default.
SCHEMA = "tiktok_auth_store"
#: Where version 0.1.0 had its tables.
FORMER = "tap_tiktok_auth"
#: In the order in which every transaction locks them, so that none waits for another in a circle.
TABLES = ("connections", "pending_logins", "advertisers", "events", "meta")
#: Names the lock under which the schema is made and everything is kept still.
_LOCK = 0x7461_7074_746B
#: The schema and each of our tables in it: name, owner, user, and what is wrong with it. Whoever
#: owns one of them, or has put something into it that runs by itself, could run SQL with our
#: rights. A superuser, who counts as a member of every role, trusts only those who may do anything
#: anyway. All names and operators match exactly, so that nothing in the schema can take their
#: place; objects with an id below 16384 come with PostgreSQL. A connection's first look at a
#: catalog costs half a millisecond, so flags of `pg_class` stand for several of them.
_LOOK = """
SELECT o.relname, r.rolname, me.rolname, CASE
  WHEN NOT (r.oid = me.oid OR r.rolsuper OR r.oid = d.datdba
            OR NOT me.rolsuper AND pg_has_role(r.oid, 'USAGE'::text)) THEN 'owner'
  WHEN NOT has_schema_privilege(n.oid, 'USAGE'::text) THEN 'grant'
  WHEN o.relname IS NULL THEN (
    SELECT min('holds functions, operators or types'::text) FROM pg_depend
    WHERE refclassid = 'pg_namespace'::regclass AND refobjid = n.oid AND classid IN
      ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass))
  WHEN o.relkind <> 'r' OR o.relpersistence <> 'p' THEN 'is not an ordinary table'
  WHEN o.relhastriggers THEN 'has a trigger or a foreign key'
  WHEN o.relhasrules THEN 'has a rule'
  WHEN row_security_active(o.oid) THEN 'has row security'
  WHEN o.relchecks <> 0::int2 THEN 'has a check constraint'
  WHEN o.relhassubclass THEN 'has a child table'
  WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = o.oid AND (atthasdef
                 OR attinhcount <> 0::int2 OR atttypid >= 16384::oid))
    THEN 'has a column with a default value, a parent or a type of its own'
  WHEN EXISTS (SELECT FROM pg_index WHERE indrelid = o.oid AND (indexprs IS NOT NULL
                 OR indpred IS NOT NULL OR indisexclusion OR 16384::oid <= ANY (indclass::oid[])))
    THEN 'has an index with an expression or operators of its own'
  END
FROM pg_namespace n JOIN pg_database d ON d.datname = current_database()
JOIN pg_roles me ON me.rolname = current_user
CROSS JOIN LATERAL (
  SELECT oid, relname, relowner, relkind, relpersistence, relhastriggers, relhasrules, relchecks,
    relhassubclass
  FROM pg_class WHERE relnamespace = n.oid AND relname = ANY ('{{tables}}'::name[])
  UNION ALL SELECT NULL, NULL, n.nspowner, NULL, NULL, NULL, NULL, NULL, NULL) o
JOIN pg_roles r ON r.oid = o.relowner
WHERE n.nspname = '{schema}'
""".replace("{tables}", ",".join(TABLES))

#: Takes the tables along, and whoever was let in. A program of the older version finds a `meta` of
#: a newer one in the place of the former, so that it stops instead of making another store.
_MOVE = """
ALTER TABLE {former}.connections SET SCHEMA {schema};
ALTER TABLE {former}.pending_logins SET SCHEMA {schema};
ALTER TABLE {former}.advertisers SET SCHEMA {schema};
ALTER TABLE {former}.events SET SCHEMA {schema};
ALTER TABLE {former}.meta SET SCHEMA {schema};
CREATE TABLE {former}.meta (name text, value text);
INSERT INTO {former}.meta VALUES ('schema_version', '1000000'), ('moved_to', '{schema}');
GRANT SELECT ON {former}.meta TO PUBLIC;
DO $$ DECLARE role regrole; BEGIN
  FOR role IN SELECT grantee FROM pg_namespace, aclexplode(nspacl)
    WHERE nspname = '{former}' AND privilege_type = 'USAGE' AND grantee <> 0
  LOOP EXECUTE 'GRANT USAGE ON SCHEMA {schema} TO ' || role; END LOOP;
END $$
""".replace("{former}", FORMER).replace("{schema}", SCHEMA)

#: Roles, beside the owner and its members, that may change the tables or add to the schema; None
#: for everybody.
_WRITERS = """
SELECT DISTINCT rolname
FROM pg_namespace n CROSS JOIN LATERAL (
  SELECT a.* FROM aclexplode(n.nspacl) a WHERE privilege_type = 'CREATE'
  UNION ALL
  SELECT a.* FROM pg_class c, aclexplode(c.relacl) a
  WHERE c.relnamespace = n.oid AND privilege_type <> 'SELECT'
) g LEFT JOIN pg_roles ON pg_roles.oid = grantee
WHERE n.nspname = '{schema}' AND NOT pg_has_role(grantee, n.nspowner, 'USAGE')
  AND grantee <> quote_ident(current_user::text)::regrole
  AND has_schema_privilege(grantee, n.oid, 'USAGE')
ORDER BY 1
""".replace("{schema}", SCHEMA)


def tables(cursor: Cursor, location: str) -> set[str | None]:
    """Return the tables that the schema has, and None if it is there itself.

    Raises:
        StoreDamaged: Others have a hand in it.
        StoreUnavailable: The user may not use it.
    """
    return set(_owners(cursor, SCHEMA, location))


def make(cursor: Cursor, location: str) -> None:
    """Make the schema, with the tables of a store that an older version made elsewhere.

    Raises:
        StoreDamaged: Others have a hand in one of the two.
        StoreUnavailable: The user may not make the one, or take the tables out of the other.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
    present = tables(cursor, location)
    if "meta" in present:
        return
    former = _owners(cursor, FORMER, location).get(TABLES[0])
    if former is not None:
        cursor.execute(
            "SELECT pg_has_role(?::name, 'USAGE') AND has_schema_privilege(?, 'CREATE')",
            (former, FORMER),
        )
        if not cursor.fetchone()[0]:
            raise _may_not_move(location, former)
    if None not in present:
        cursor.execute(
            "SELECT has_database_privilege(current_database(), 'CREATE'), current_database(),"
            " current_user"
        )
        allowed, database, user = cursor.fetchone()
        if not allowed:
            raise StoreUnavailable(
                f"the token store {location} does not let its user create the schema {SCHEMA}",
                next_step="Let its owner run: GRANT CREATE ON DATABASE "
                f"{_quoted(database)} TO {_quoted(user)};",
            )
        cursor.execute(
            f"CREATE SCHEMA {SCHEMA} AUTHORIZATION {_quoted(former or user)};"
            # Default privileges may have given it to everyone.
            f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC"
        )
    if former is not None:
        cursor.execute(_MOVE)


def keep_others_out(cursor: Cursor, location: str) -> None:
    """Let nobody else make the schema or write to it until the transaction ends."""
    cursor.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
    present = tables(cursor, location)
    if locked := ", ".join(table for table in TABLES if table in present):
        cursor.execute(f"LOCK TABLE {locked} IN SHARE ROW EXCLUSIVE MODE")


def writers(cursor: Cursor) -> str | None:
    """Return the roles beside the owner that may write, as SQL lists them; None if none may."""
    cursor.execute(_WRITERS)
    roles = [_quoted(role) if role else "PUBLIC" for (role,) in cursor.fetchall()]
    return ", ".join(roles) or None


def may_not_use(location: str, user: str) -> StoreUnavailable:
    """Return the error that the user may not use the store's tables."""
    role = _quoted(user)
    return StoreUnavailable(
        f"the token store {location} refuses its user a permission",
        next_step=(
            f"Let its owner run: GRANT USAGE ON SCHEMA {SCHEMA} TO {role}; GRANT SELECT, INSERT, "
            f"UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {role};"
        ),
    )


def _owners(cursor: Cursor, schema: str, location: str) -> dict[str | None, str]:
    """Return who owns each of our tables, and under None the schema; refuse what is not ours."""
    cursor.execute(_LOOK.replace("{schema}", schema))
    found = cursor.fetchall()
    if schema == FORMER:
        # Nothing is run by its other contents, such as the tables of a loader.
        found = [row for row in found if row[0] is not None]
        if len(found) < len(TABLES):
            return {}
    for table, owner, user, fault in found:
        if fault == "grant":
            raise (
                _may_not_move(location, owner) if schema == FORMER else may_not_use(location, user)
            )
        if fault is not None:
            place = f"schema {schema}" if table is None else f"table {schema}.{table}"
            raise _not_ours(f"the {place} of the token store {location}", owner, user, fault)
    return {table: owner for table, owner, _, _ in found}


def _may_not_move(location: str, owner: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"the token store {location} is in the schema {FORMER}, where its user may not move it from"
        f" to {SCHEMA}",
        next_step=f"Run once as its owner {_quoted(owner)}: tiktok-auth status",
    )


def _not_ours(what: str, owner: str, user: str, fault: str) -> StoreDamaged:
    """Return the error that others could run their SQL with the rights of the user."""
    owner, user = _quoted(owner), _quoted(user)
    if fault == "owner":
        return StoreDamaged(
            f"{what} belongs to the role {owner}, which could make it run SQL with the rights of"
            f" {user}",
            next_step=(
                f"Connect as {owner}; or, if {user} may trust it, let an administrator run: "
                f"GRANT {owner} TO {user}; else give token_store another database."
            ),
        )
    return StoreDamaged(
        f"{what} {fault}, which this program never makes",
        next_step=(
            "Find out who made it, remove it and VACUUM the table; or give token_store another"
            " database."
        ),
    )


def _quoted(identifier: str) -> str:
    """Return an SQL identifier as it is written in a statement."""
    printable = "".join(character for character in identifier if character.isprintable())
    return '"' + printable.replace('"', '""') + '"'
