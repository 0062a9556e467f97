"""Files into a run and out of it, where everything in the directory is a stranger's doing."""

import base64
from typing import Any

import pytest

from plaudit.errors import Rejected
from plaudit.schemas.sandbox import Binary, Case

pytestmark = pytest.mark.parametrize("_sandbox_process", ["self", "container"], indirect=True)
BYTES = bytes(range(256))


def binary(data: bytes) -> Binary:
    return Binary(base64=base64.b64encode(data).decode())


async def test_bytes_come_in_and_go_out_as_they_are(sandbox: Any) -> None:
    code = "open('out', 'wb').write(open('in', 'rb').read()[::-1])"
    told = await sandbox.call(code, files={"in": binary(BYTES)}, files_out=["out"])
    assert told.files == {"out": binary(BYTES[::-1])}
    assert told.files_missing == {}


async def test_text_comes_back_as_text(sandbox: Any) -> None:
    code = "import os; os.mkdir('a'); open('a/b', 'w').write('Zürich\\n'); open('c', 'w')"
    told = await sandbox.call(code, files_out=["a/b", "c", "main.py"])
    assert told.files == {"a/b": "Zürich\n", "c": "", "main.py": code}


async def test_files_come_back_from_a_program_that_fails(sandbox: Any) -> None:
    code = "open('x', 'w').write('so far'); open('x').close(); 1 / 0"
    told = await sandbox.call(code, files_out=["x"])
    assert (told.status, told.files) == ("error", {"x": "so far"})


async def test_each_case_gives_its_files(sandbox: Any) -> None:
    code = "text = input()\nif text: open('x', 'w').write(text)"
    cases = [Case(stdin="1"), Case(stdin="\n"), Case(stdin="3")]
    told = await sandbox.call(code, files_out=["x"], cases=cases)
    assert [case.files for case in told.cases] == [{"x": "1"}, {}, {"x": "3"}]
    assert told.cases[1].files_missing == {"x": "there is no such file"}


@pytest.mark.parametrize(
    ("code", "name", "reason"),
    [
        ("", "x", "there is no such file"),
        ("", "x/y", "there is no such file"),
        ("os.symlink('/etc/passwd', 'x')", "x", "it cannot be read"),
        ("os.symlink('main.py', 'x')", "x", "it cannot be read"),
        ("os.symlink('/etc', 'x')", "x/passwd", "it cannot be read"),
        ("os.symlink('..', 'x')", "x/x", "it cannot be read"),
        ("os.mkdir('x')", "x", "it is no regular file"),
        ("os.mkfifo('x')", "x", "it is no regular file"),
        ("open('x', 'w')", "x/y", "it cannot be read"),
        ("os.truncate(os.open('x', os.O_CREAT | os.O_RDWR), 2**25)", "x", "it is larger than"),
    ],
)
async def test_what_is_no_file_of_the_program_is_named_and_not_read(
    sandbox: Any, code: str, name: str, reason: str
) -> None:
    told = await sandbox.call(f"import os\n{code}", files_out=[name])
    assert (told.status, told.files) == ("ok", {}), told.stderr
    assert told.files_missing[name].startswith(reason)


async def test_a_link_swapped_in_by_a_daemon_is_not_followed(sandbox: Any) -> None:
    """Files are read when nothing of the program runs any more."""
    await sandbox.needs("bash")
    code = "(setsid bash -c 'while :; do ln -sfn /etc d; rm d; mkdir d; rmdir d; done' &); sleep .2"
    told = await sandbox.call(code, language="bash", files_out=["d/passwd"])
    assert told.files == {}


async def test_files_out_are_bounded_together(sandbox: Any) -> None:
    code = "for n in range(3): open(f'{n}', 'w').write('x' * (2 * 2**20))"
    told = await sandbox.call(code, files_out=["0", "1", "2"])
    assert list(told.files) == ["0", "1"]
    assert told.files_missing["2"].startswith("it is larger than the 0 bytes that are left")


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "", ".", "a//b", "a\0b", "é" * 200])
async def test_paths_that_lead_elsewhere_are_refused(sandbox: Any, name: str) -> None:
    with pytest.raises(Rejected, match="files_out"):
        await sandbox.call("", files_out=[name])


@pytest.mark.parametrize(
    "files",
    [
        {"a": "", "a/b": ""},
        {"main.py/x": ""},
        {".build": ""},
        {".build/main": ""},
        {"/".join("abcdefghijklmnopqrs"): ""},
    ],
)
async def test_files_that_cannot_be_beside_each_other_are_refused(
    sandbox: Any, files: dict[str, str]
) -> None:
    with pytest.raises(Rejected, match="files"):
        await sandbox.call("", files=files)
    with pytest.raises(Rejected, match="files"):
        await sandbox.call("", cases=[Case(files=files)])


async def test_the_program_of_another_language_is_just_a_file(sandbox: Any) -> None:
    told = await sandbox.call("print(open('main.c').read())", files={"main.c": "int x;"})
    assert told.stdout == "int x;\n"
