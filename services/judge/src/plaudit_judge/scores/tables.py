"""Tables of scores as lines that say the same: `| B | 4 |` under `| Response | Clarity |`."""

from collections.abc import Iterator, Sequence

_MAX_CELL_CHARS = 100
"""Of a longer one the rest is a remark; a hostile table must not cost quadratic time."""


def table_lines(text: str, *, are_named: bool) -> Iterator[str]:
    """The lines of `text`, and instead of a table's row what each of its cells may mean.

    A cell belongs to its row and its column, one of which may be an answer, the other a criterion.
    Of a single answer (not `are_named`) the column alone may say what it is.
    """
    header: list[str] = []
    for line in text.splitlines():
        cells = _cells(line)
        if not cells:
            header = []
            yield line
        elif not header:
            header = cells
        elif not all(set(cell) <= set(":- ") for cell in cells):
            yield from _meanings(header, cells, are_named)


def _cells(line: str) -> list[str]:
    line = line.strip()
    if not line.startswith("|"):
        return []
    return [cell.strip()[:_MAX_CELL_CHARS] for cell in line.strip("|").split("|")]


def _meanings(header: Sequence[str], cells: Sequence[str], are_named: bool) -> Iterator[str]:
    row = cells[0]
    for place, (column, cell) in enumerate(zip(header, cells, strict=False)):
        if not are_named:
            yield f"{column}: {cell}"
        if place > 0:
            yield f"{column}: {row}: {cell}"
            yield f"{row}: {column}: {cell}"
