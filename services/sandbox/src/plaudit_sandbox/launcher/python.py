"""A Python program, run in a fork of the warm launcher as a fresh interpreter would run it."""

import atexit
import gc
import os
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import NoReturn


@dataclass(frozen=True)
class PythonProgram:
    name: str
    code: str

    def run(self) -> NoReturn:
        """Run the code as `__main__`, as a fresh interpreter would, and end the process."""
        main = ModuleType("__main__")
        main.__dict__.update(__file__=self.name, __builtins__=__builtins__)
        sys.modules["__main__"] = main
        code = _execute(self, main)
        _end(code, main)


def forget_launcher(directory: str, argv: list[str]) -> None:
    """Leave what a fresh `python main.py` would have."""
    for name in [name for name in sys.modules if name.split(".")[0] == "plaudit_sandbox"]:
        del sys.modules[name]
    own = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    sys.path[:] = [directory, *(path for path in sys.path if path != own)]
    sys.argv[:] = argv


def _execute(program: PythonProgram, main: ModuleType) -> int:
    """The exit code."""
    try:
        # The only place in Plaudit that runs a model's Python, behind every protection.
        exec(compile(program.code, program.name, "exec", dont_inherit=True), main.__dict__)  # noqa: S102
    except SystemExit as request:
        return _exit_code(request.code)
    except BaseException as error:  # why: report it as the interpreter does, less our own frame
        frames = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error.with_traceback(frames), frames)
        return 1
    return 0


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _end(code: int, main: ModuleType) -> NoReturn:
    """End as the interpreter does, in its order: threads, exit handlers, globals, buffers.

    The interpreter's own tear-down is left out: in a fork it would copy every page of the
    launcher, which takes longer than most programs.
    """
    try:
        _join_threads()
        atexit._run_exitfuncs()
        main.__dict__.clear()
        gc.collect()
        sys.stdout.flush()
    except BaseException as error:  # why: what ends a process late is still the program's own fault
        sys.excepthook(type(error), error, error.__traceback__)
        code = code or 120
    sys.stderr.flush()
    os._exit(code)


def _join_threads() -> None:
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
