"""Python in the child: parsed, and run only in a process that ends afterwards."""

import ast
from typing import Any, Final

_LONGEST: Final = 20_000


def parse_code(source: str) -> Any:
    """Return how many statements a program has.

    Raises:
        ValueError: it has none, or is too long; SyntaxError: it is no Python.
    """
    if len(source) > _LONGEST:
        raise ValueError(f"more than {_LONGEST} characters")
    statements = ast.parse(source, "answer.py").body
    if not statements:
        raise ValueError("there is no statement")
    return len(statements)


def run_code(source: str) -> Any:
    """Run a program to its end; asserts in it are its own tests. Whatever it raises goes up.

    A program that leaves early (``sys.exit``) has not come to its end.
    """
    count = parse_code(source)
    space = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(compile(source, "answer.py", "exec", dont_inherit=True), space)  # noqa: S102 - the point of it
    return count
