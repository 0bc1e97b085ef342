"""The schema in PostgreSQL: whether it is ours alone, and where it was before."""

from __future__ import annotations

#: Its own: not the extractor's namespace, into which Meltano's loaders write by default.
SCHEMA = "tiktok_auth_store"
#: Where version 0.1.0 had its tables.
FORMER = "tap_tiktok_auth"
#: In the order in which every transaction locks them, so that none waits for another in a circle.
TABLES = ("connections", "pending_logins", "advertisers", "events", "meta")

#: The schema and each of our tables in it: name, owner, user, and what is wrong with it. Whoever
#: owns one of them, or has put something into it that runs by itself, could run SQL with our
#: rights. A superuser, who counts as a member of every role, trusts only those who may do anything
#: anyway. All names and operators match exactly, so that nothing in the schema can take their
#: place; objects with an id below 16384 come with PostgreSQL. A connection's first look at a
#: catalog costs half a millisecond, so flags of `pg_class` stand for several of them.
LOOK = """
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
MOVE = """
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
WRITERS = """
SELECT DISTINCT rolname
FROM pg_namespace n CROSS JOIN LATERAL (
  SELECT a.* FROM aclexplode(n.nspacl) a WHERE privilege_type = 'CREATE'
  UNION ALL
  SELECT a.* FROM pg_class c, aclexplode(c.relacl) a
  WHERE c.relnamespace = n.oid AND privilege_type <> 'SELECT'
) g LEFT JOIN pg_roles ON pg_roles.oid = grantee
WHERE n.nspname = '{schema}' AND NOT pg_has_role(grantee, n.nspowner, 'USAGE')
  AND grantee <> current_user::regrole AND has_schema_privilege(grantee, n.oid, 'USAGE')
ORDER BY 1
""".replace("{schema}", SCHEMA)
