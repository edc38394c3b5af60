"""YAML as plain text, lists and dicts, with the line and column of every part.

Owns reading and nothing of its meaning: each scalar stays the text that was written, so no number
ever becomes a float; `null` alone becomes None. Duplicate keys and aliases are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from schemas.errors import InvalidInput

Path = tuple[str | int, ...]
Tree = str | None | list["Tree"] | dict[str, "Tree"]

_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class MarkedYaml:
    """A document and where its parts stand: `keys[path]` and `values[path]`, as `line:column`."""

    name: str
    tree: Tree
    keys: dict[Path, str] = field(repr=False)
    values: dict[Path, str] = field(repr=False)

    def place(self, path: Path, *, of_key: bool) -> str:
        """`file:line:column` of a part, or of the nearest part around it that was written."""
        while path not in self.values:
            path, of_key = path[:-1], True
        mark = self.keys.get(path) if of_key else None
        return f"{self.name}:{mark or self.values[path]}"

    def is_mapping(self, path: Path) -> bool:
        """Does a mapping with at least one key stand there?"""
        return any(key[:-1] == path for key in self.keys)


def read_yaml(text: str, name: str) -> MarkedYaml:
    """Read one YAML document.

    Raises:
        InvalidInput: not YAML, empty, a key twice, an alias, or a key that is not text.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        at = _mark(problem.problem_mark) if problem.problem_mark else "1:1"
        reason = problem.problem or problem.context
        raise InvalidInput(f"{name}:{at}: {reason}; correct the YAML there") from None
    except yaml.YAMLError as problem:
        reason = str(problem).splitlines()[0]
        raise InvalidInput(f"{name}: {reason}; write it as plain text") from None
    if root is None:
        raise InvalidInput(f"{name}:1:1: the file is empty")
    reader = _Reader(name)
    tree = reader.read(root, ())
    return MarkedYaml(name, tree, reader.keys, reader.values)


class _Reader:
    """Walks the composed nodes once and remembers where each of them began."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.keys: dict[Path, str] = {}
        self.values: dict[Path, str] = {}
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, path: Path) -> Tree:
        self.values[path] = _mark(node.start_mark)
        if id(node) in self._seen:
            raise self._error(node, "an alias refers to this; write the text out in both places")
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return {key: self.read(value, (*path, key)) for key, value in self._items(node, path)}
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node)

    def _items(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a key must be a word")
            key = str(key_node.value)
            if (*path, key) in self.keys:
                first = self.keys[(*path, key)]
                raise self._error(key_node, f"{key!r} is here twice, first at {first}; keep one")
            self.keys[(*path, key)] = _mark(key_node.start_mark)
            yield key, value

    def _scalar(self, node: yaml.Node) -> str | None:
        if node.tag != _NULL:
            return str(node.value)
        if not node.value:
            raise self._error(node, "a value is missing here; write it, or leave the key out")
        return None

    def _error(self, node: yaml.Node, reason: str) -> InvalidInput:
        return InvalidInput(f"{self.name}:{_mark(node.start_mark)}: {reason}")


def _mark(mark: yaml.Mark) -> str:
    return f"{mark.line + 1}:{mark.column + 1}"
