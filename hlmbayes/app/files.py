"""Files that come in and go out: uploads under safe names in a private folder; models to keep."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from starlette.responses import Response

from ..errors import CommandFileError, DataError, HLMError
from ..hlm_files.command_writer import n_categories, template_text, to_text
from ..terms.expand import rated
from ..words import safe_name, unique_name
from .answers import Form, sending
from .guard import MOST_BYTES, too_large
from .opening import Opened
from .script import equations_text, python_script
from .session import Session

RAW_TYPES = {".sav": "spss", ".zsav": "spss", ".por": "spss", ".dta": "stata", ".sas7bdat": "sas"}


def take_files(session: Session, form: Form) -> list[Path]:
    """Put the files that were sent into a new folder of the session; gives their paths.

    Raises
    ------
    HLMError
        None, an empty one, or too large.
    """
    sent = form.files()
    if not sent:
        raise DataError("no file was sent: choose one data file or two, one of each level")
    folder = session.folder / secrets.token_hex(6)
    folder.mkdir(mode=0o700)
    found: list[Path] = []
    for file in sent:
        if not file.size:
            raise DataError(f"{file.filename or 'the file'} is empty: it has 0 bytes")
        if file.size > MOST_BYTES:
            raise DataError(too_large(str(file.filename)))
        name = upload_name(file.filename or "data", [path.stem for path in found])
        path = folder / name
        with path.open("wb") as target:
            shutil.copyfileobj(file.file, target)
        found.append(path)
    return found


def upload_name(given: str, taken: list[str]) -> str:
    """A safe name for what a browser sent: its own last part, letters, digits and _, and its ending."""
    own = given.replace("\\", "/").rsplit("/", 1)[-1]
    stem, dot, ending = own.rpartition(".")
    if not dot:
        stem, ending = own, ""
    ending = "".join(c for c in ending if c.isascii() and c.isalnum())[:12]
    name = unique_name(safe_name(stem or "data", extra=".-", longest=100), taken, 100)
    return f"{name}.{ending}" if ending else name


def _save(session: Session, form: Form) -> Response:
    name = form.text("name")
    if name == "model.hlm":
        text = command_text(session)
    elif name == "model.txt":
        text = equations_text(session.job(), session.here)
    elif name == "model.py":
        text = python_script(session.job(), session.here)
    elif name.endswith(".mdmt"):
        here = session.here
        text = template(here, own_names=session.folder in here.source.level1.parents)
        name = f"{Path(here.source.mdm).stem}.mdmt"
    else:
        raise HLMError(f"there is no {name} to save")
    return attachment(text.encode(), name)


save = sending(_save)


def template(here: Opened, *, own_names: bool) -> str:
    """The template that says where the data of the command file are."""
    source, files = here.source, (here.source.level1, here.source.level2 or here.source.level1)
    names = [str(file.name if own_names else file.absolute()) for file in files]
    ids, missing = (source.id, source.id2 or source.id), here.description.n_incomplete > 0
    kind = source.raw_type or RAW_TYPES.get(source.level1.suffix.lower(), "ascii")
    return template_text(source.mdm, (names[0], names[1]), ids, (here.level1, here.level2), missing, kind)


def command_text(session: Session) -> str:
    """The command file of the model and its settings."""
    state = session.state
    if lines := state.beside.lines():
        raise CommandFileError(
            f"a command file has no keyword for {', '.join(line.partition(':')[0] for line in lines)}: click "
            "Code and save the equations (.txt), which hlmbayes run takes too"
        )
    here, model = session.here, state.known
    return to_text(model, state.options, here.source.mdm, n_categories(model, rated(model, here.data)))


def attachment(content: bytes, name: str, kind: str = "application/octet-stream") -> Response:
    """A file to be kept."""
    return Response(
        content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
