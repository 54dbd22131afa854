"""Where the data of an analysis are -> the text of an MDM template (.mdmt)."""

from __future__ import annotations

from collections.abc import Sequence


def template_text(
    mdm: str, files: tuple[str, str], ids: tuple[str, str], names: tuple[Sequence[str], Sequence[str]],
    missing: bool, kind: str = "spss",
) -> str:  # fmt: skip
    """The template of data files: their names, their ids, their variables without the id, by level.

    ``mdm`` is the name of the file that HLM makes of it; ``missing`` says whether level 1 has missing
    values, ``kind`` what files they are: spss, stata, sas or ascii (text).
    """
    lines = [
        "#HLM2 MDM CREATION TEMPLATE",
        f"rawdattype:{kind}",
        f"l1fname:{files[0]}",
        f"l2fname:{files[1]}",
    ]
    lines += [f"l1missing:{'y' if missing else 'n'}", "timeofdeletion:analysis", f"mdmname:{mdm}"]
    for level in (1, 2):
        own = [f"level2id:{ids[level - 1]}", *names[level - 1]]
        lines += [f"*begin l{level}vars", *own, f"*end l{level}vars"]
    return "\n".join(lines) + "\n"
