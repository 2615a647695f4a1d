"""The supervisor: restarts what dies, gives up on what cannot live, and leaves nobody behind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tagstudio import child, services, supervisor
from tagstudio.supervisor import Printer, Service, Supervisor

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "import subprocess, sys, time; subprocess.Popen(['sleep', '300']); print('up', flush=True); time.sleep(300)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(300)"
)


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def family(pids: list[int]) -> list[psutil.Process]:
    """The processes and all below them, as they are now."""
    found = [psutil.Process(pid) for pid in pids]
    return [p for parent in found for p in (parent, *parent.children(recursive=True))]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


class Running:
    """A supervisor in a process of its own, as ``make run`` has it."""

    def __init__(self, tmp_path: Path, **scripts: str) -> None:
        program = textwrap.dedent(f"""
            import sys
            from tagstudio import supervisor
            supervisor.SECONDS_TO_STOP = 2
            scripts = {scripts!r}
            services = [supervisor.Service(name, [sys.executable, "-c", code]) for name, code in scripts.items()]
            sys.exit(supervisor.Supervisor(services).run())
        """)
        self.out = tmp_path / "out"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=self.out.open("w"), cwd=ROOT, start_new_session=True
        )

    @property
    def lines(self) -> list[str]:
        return self.out.read_text().splitlines()

    def say(self, text: str, times: int = 1) -> bool:
        return sum(text in line for line in self.lines) >= times


def test_ctrl_c_stops_all_and_their_children(tmp_path: Path) -> None:
    running = Running(tmp_path, one=SLEEPER, two=SLEEPER)
    until(lambda: running.say("│ up", 2))
    before = family([running.process.pid])
    assert len(before) == 5, "supervisor, two services, and a child of each"
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(timeout=10) == 0
    until(lambda: not alive(before), 2)
    assert running.lines[-1].endswith("all stopped")


@pytest.mark.long
def test_whoever_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    running = Running(tmp_path, mule=STUBBORN)
    until(lambda: running.say("│ up"))
    before = family([running.process.pid])
    running.process.terminate()
    assert running.process.wait(timeout=15) == 0
    assert not alive(before)


def test_the_services_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    running = Running(tmp_path, one="print('up', flush=True); import time; time.sleep(300)")
    until(lambda: running.say("│ up"))
    before = family([running.process.pid])
    running.process.kill()
    running.process.wait()
    until(lambda: not alive(before), 5)


def test_one_that_is_killed_comes_back_and_the_others_go_on(tmp_path: Path) -> None:
    running = Running(tmp_path, one=SLEEPER, two=SLEEPER)
    until(lambda: running.say("│ up", 2))
    one, two = (p for p in psutil.Process(running.process.pid).children())
    os.kill(one.pid, signal.SIGKILL)
    until(lambda: running.say("one    │ up", 2))
    assert running.say("SIGKILL") and two.is_running()
    running.process.terminate()
    running.process.wait(timeout=10)


def test_one_that_cannot_live_ends_it_all_with_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SHORT_LIVES", 2)
    out = io.StringIO()
    broken = Service("web", [sys.executable, "-c", "print('no such table'); raise SystemExit(3)"])
    code = Supervisor([broken], printer=Printer(["system", "web"], out)).run()
    assert code == 1
    assert "no such table" in out.getvalue() and "exit code 3" in out.getvalue()


def test_lines_are_whole_and_named() -> None:
    out = io.StringIO()
    printer = Printer(["web", "worker-ml"], out)
    writers = [
        threading.Thread(target=lambda name=name: [printer.line(name, "x" * 500) for _ in range(50)])
        for name in ("web", "worker-ml")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(out.getvalue().splitlines()) == {"web       │ " + "x" * 500, "worker-ml │ " + "x" * 500}


def test_a_taken_port_is_said_or_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("PORT", str(port))
        with pytest.raises(services.PortTaken, match=f"port {port} is taken"):
            services.free_port()
    monkeypatch.setenv("PORT", str(port))
    assert services.free_port() == port
    monkeypatch.delenv("PORT")
    monkeypatch.setattr(services, "_free", lambda port: port >= 8003)
    assert services.free_port() == 8003


NICE_AND_GROUP = """
import os, pathlib
group = pathlib.Path("/proc/self/autogroup")
print(os.nice(0), *(group.read_text().split()[-1:] if group.exists() else []))
"""


@pytest.mark.parametrize("session", [True, False])
def test_a_child_of_its_own_session_steps_back_with_its_whole_group(session: bool) -> None:
    look = (sys.executable, "-c", NICE_AND_GROUP)

    def seen(*words: str) -> list[str]:
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True, start_new_session=session)
        return done.stdout.split()

    before = seen(*look)
    nice = str(min(19, int(before[0]) + 7))
    if session and len(before) == 1:
        pytest.skip("this kernel does not group processes by session")
    assert seen(*child.command(*look, nice=7)) == ([nice, nice] if session else [nice, *before[1:]])


def test_a_child_is_not_started_for_a_parent_that_is_gone() -> None:
    words = child.command(sys.executable, "-c", "print('started')")
    orphan = [*words[:4], "1", *words[5:]]  # says that process 1 asked for it
    done = subprocess.run(orphan, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1 and "started" not in done.stdout
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == "started\n"
