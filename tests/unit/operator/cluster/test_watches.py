"""The thread of the watches says that it lives, and is missed when it has ended."""

import asyncio
import threading
from pathlib import Path

import pytest
import yaml

from tollgate_cli.laptop.system import free_port
from tollgate_operator.cluster.handlers import Watches
from tollgate_operator.cluster.liveness import Liveness


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that does not answer: the thread tries again for ever."""
    path = tmp_path / "kubeconfig"
    server = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{free_port()}"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {"token": "t"}}
    content = {"current-context": "x", "clusters": [server], "contexts": [context], "users": [user]}
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("KUBECONFIG", str(path))


@pytest.mark.usefixtures("away")
async def test_watches_that_ended_are_missed() -> None:
    now, beaten = 0.0, asyncio.Event()
    loop = asyncio.get_running_loop()

    class Heard(Liveness):
        def beat(self, part: str, seconds: float) -> None:
            super().beat(part, seconds)
            loop.call_soon_threadsafe(beaten.set)

    liveness = Heard(lambda: now)
    running = asyncio.create_task(Watches(("n",), lambda *_: None, liveness).run())
    async with asyncio.timeout(20):
        await beaten.wait()
    assert liveness.problems() == []
    running.cancel()
    async with asyncio.timeout(20):
        while any(thread.name == "kopf" for thread in threading.enumerate()):
            await asyncio.sleep(0.05)
    now = 1000.0
    assert [problem.partition(":")[0] for problem in liveness.problems()] == ["watches"]
