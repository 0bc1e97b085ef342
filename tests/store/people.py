"""Several roles of one database."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote
from uuid import uuid4

import psycopg

from tests.postgres_server import PASSWORD

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer


class People:
    """Roles that share a database, and its superuser `postgres`.

    Args:
        server: The server.
        database: The name of the database; it belongs to `postgres`.
    """

    def __init__(self, server: PostgresServer, database: str) -> None:
        self._server = server
        self.database = database
        self._roles: list[str] = []

    def role(self, *, create: bool = True, odd: bool = False, options: str = "") -> str:
        """Return a new role, as SQL writes it.

        Args:
            create: Whether it may create schemas in the database.
            odd: Whether its name must be quoted in SQL.
            options: What else it is, as CREATE ROLE has it.
        """
        name = f'"Odd ""role"" {uuid4().hex}"' if odd else f"role_{uuid4().hex}"
        self._server.admin(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {options}")
        self._roles.append(name)
        if create:
            self._server.admin(f"GRANT CREATE ON DATABASE {self.database} TO {name}")
        return name

    def url(self, role: str) -> str:
        """Return the address of the database for a role."""
        name = role.removeprefix('"').removesuffix('"').replace('""', '"')
        return self._server.url(self.database, user=quote(name))

    def sql(self, statements: str, role: str = "postgres") -> list[tuple[object, ...]]:
        """Run statements as a role, and return the rows of a single one."""
        with psycopg.connect(self.url(role), autocommit=True) as connection:
            cursor = connection.execute(statements.encode())
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Remove the database and the roles."""
        self._server.admin(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        for role in self._roles:
            self._server.admin(f"DROP ROLE {role}")
