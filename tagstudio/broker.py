"""The embedded broker: doorbells in a SQLite file of their own, for people who have nothing else installed.

kombu's SQLAlchemy transport with three things changed. It polls ten times a second instead of once (as a class
attribute: as a transport option it would reach ``create_engine``, which refuses it). An empty queue is seen by a plain
read; the original takes the write lock for every look. And the file is opened in WAL mode.
"""

from __future__ import annotations

from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, sqlalchemy
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

SCHEME = "embedded"
MESSAGES_KEPT = 10_000  # not yet delivered: more would be a worker that never came, and the rows are the truth
DELIVERED = text("DELETE FROM kombu_message WHERE visible = 0")
OVERDUE = text(
    "DELETE FROM kombu_message WHERE id <= (SELECT id FROM kombu_message ORDER BY id DESC LIMIT 1 OFFSET :kept)"
)


class Channel(sqlalchemy.Channel):
    def _engine_from_config(self) -> Engine:
        engine = create_engine(self.connection.client.hostname, connect_args={"timeout": 10})
        event.listen(engine, "connect", _open)
        return engine

    def _get(self, queue: str, timeout: Any = None) -> Any:
        look = text(
            "SELECT 1 FROM kombu_message m JOIN kombu_queue q ON q.id = m.queue_id "
            "WHERE q.name = :queue AND m.visible = 1 LIMIT 1"
        )
        try:
            waits = self.session.execute(look, {"queue": queue}).first()
        finally:
            self.session.rollback()
        if waits is None:
            raise Empty
        try:
            return super()._get(queue)
        except OperationalError:
            self.session.rollback()  # locked for longer than the time-out: look again at the next turn
            raise Empty from None


class Transport(sqlalchemy.Transport):
    Channel = Channel
    polling_interval = 0.1


TRANSPORT_ALIASES[SCHEME] = "tagstudio.broker:Transport"


def url(file: Any) -> str:
    return f"{SCHEME}+sqlite:///{file}"


def embedded(broker_url: str) -> bool:
    return broker_url.startswith(f"{SCHEME}+")


def prune() -> int:
    """Delete what was delivered, and the oldest of what nobody fetches. Returns how many; 0 with another broker."""
    from tagstudio.celery import app

    if not embedded(app.conf.broker_url):
        return 0
    with app.connection_for_write() as connection:
        engine, _session = connection.default_channel._open()
        with engine.begin() as database:
            found: int = (
                database.execute(DELIVERED).rowcount + database.execute(OVERDUE, {"kept": MESSAGES_KEPT}).rowcount
            )
    return found


def _open(connection: Any, _record: Any) -> None:
    # a lost doorbell costs seconds, so the file need not be synced at every commit
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
