"""When the window stops, and what it says when it cannot begin."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

pytest.importorskip("uvicorn")
from hlmbayes.app.launch import free_socket, serve
from hlmbayes.errors import HLMError


def test_it_stops_when_no_page_has_asked_for_long(capsys):
    serve(browser=False, idle=0.0)
    assert capsys.readouterr().out.startswith("hlmbayes app: http://127.0.0.1:")


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(HLMError, match="cannot be had"):
            free_socket(taken.getsockname()[1])
    with pytest.raises(HLMError, match="cannot be had"):
        free_socket(99999)


@pytest.mark.parametrize(
    ("hidden", "words"), [("starlette", "pip install 'hlmbayes[app]'"), ("uvicorn", "pip install")]
)
def test_what_is_not_installed_is_one_line(hidden, words):
    script = (
        f"import sys; sys.modules['{hidden}'] = None; from hlmbayes.cli import main; sys.exit(main(['app']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_package_does_not_import_the_parts_of_the_web():
    script = "import sys, hlmbayes.cli.parsers; print({'starlette', 'jinja2', 'uvicorn'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
