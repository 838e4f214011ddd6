"""The documents at the doors of adapters, strategies and examples: whoever types what they say arrives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOORS = ("adapters/README.md", "strategies/README.md", "examples/README.md")
BLOCK = re.compile(r"^```(\w*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def script(text: str) -> str:
    """A document as a shell reads it: a block with a name is written to a file of that name, one of sh is typed."""
    lines = ["set -x"]
    for language, name, body in BLOCK.findall(text):
        assert name or language == "sh", f"a block that nobody runs:\n{body}"
        lines.append(f"cat > {name} <<'END OF BLOCK'\n{body}END OF BLOCK" if name else body.rstrip())
    return "\n".join(lines)


@pytest.mark.parametrize("door", [pytest.param("adapters/README.md", marks=pytest.mark.long), *DOORS[1:]])
def test_what_the_document_says_works(door: str, reader: Any) -> None:
    """Every block, from the first to the last, in one shell."""
    run = reader.run(script((ROOT / door).read_text(encoding="utf-8")))

    assert 0 == run.returncode, run.stdout[-4000:] + run.stderr[-4000:]


@pytest.mark.parametrize("door", DOORS)
def test_links_lead_somewhere(door: str) -> None:
    """To files that are there."""
    targets = LINK.findall((ROOT / door).read_text(encoding="utf-8"))

    assert [] == [target for target in targets if not (ROOT / door).parent.joinpath(target).exists()]


def test_a_block_that_fails_is_found(reader: Any) -> None:
    """The collector is no rubber stamp: a document that does not work fails here."""
    text = "```python wrong.py\nraise SystemExit(3)\n```\nand\n```sh\npython wrong.py\necho not reached\n```\n"
    run = reader.run(script(text))

    assert (3, "") == (run.returncode, run.stdout)
    with pytest.raises(AssertionError, match="a block that nobody runs"):
        script("```python\n1 / 0\n```\n")
