"""`hlmbayes app`: the window in a browser."""

from __future__ import annotations

import argparse

from ..errors import OutputError
from .console import DONE

TEXT = """\
Open the window: variables on the left, the equations of both levels on the right, as in HLM; a click puts a
variable into the model, Run estimates it. It is a page in your browser that this machine alone can see;
nothing is sent anywhere. Ctrl-C stops it, and so does an hour after its last page was closed.

  hlmbayes app
  hlmbayes app hsb4.hlm
  hlmbayes app hsb1.sav hsb2.sav"""

LACKING = "the window wants parts that are not installed ({name}): pip install 'hlmbayes[app]'"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add FILE, --no-browser and --port."""
    what = "command file (.hlm), equations (.txt), data files"
    parser.add_argument("files", nargs="*", metavar="FILE", help=what)
    unit = "variable that identifies the level-2 unit (default: judged by the names)"
    parser.add_argument("--id", default="", metavar="NAME", help=unit)
    parser.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    parser.add_argument("--port", type=int, default=0, help="port of this machine (default: a free one)")


def app(args: argparse.Namespace) -> int:
    """Serve the window until it is stopped."""
    try:
        from ..app.launch import serve
    except ModuleNotFoundError as error:
        raise OutputError(LACKING.format(name=error.name)) from None
    serve(args.files, id=args.id, port=args.port, browser=not args.no_browser)
    return DONE
