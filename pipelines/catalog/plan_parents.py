"""Plans that say `extends`: what differs from another plan, merged where a price list is read.

What a plan takes over keeps its place in the file, so an error in it is told where it is written.
Nothing behind the reading of a price list knows of it: each plan is whole.
"""

from collections.abc import Iterator
from dataclasses import replace

from pipelines.catalog.marked_yaml import MarkedYaml, Path, Tree
from schemas.errors import InvalidInput

Plans = dict[str, Tree]

_OWN = frozenset({"extends", "ramp"})
"""What a plan never takes over."""

_WHOLE: tuple[Path, ...] = (
    ("discount",),
    ("meters", "*", "overage"),
    ("meters", "*", "grace"),
    ("meters", "*", "quotas", "*"),
)
"""What is taken over or written as a whole; other mappings are merged key by key."""


def with_parents(document: MarkedYaml) -> MarkedYaml:
    """The document with every plan whole. `null` takes away what would be taken over.

    Raises:
        InvalidInput: one line for each plan that extends one that is not there, or itself.
    """
    plans = document.tree.get("plans") if isinstance(document.tree, dict) else None
    if not isinstance(document.tree, dict) or not isinstance(plans, dict):
        return document
    if faults := [*_unknown(plans), *_circles(plans)]:
        lines = (_line(document, path, reason) for path, reason in faults)
        raise InvalidInput("\n".join(lines))
    family = _Family(document, plans)
    whole: Plans = {name: family.whole(name) for name in plans}
    tree: Tree = {**document.tree, "plans": whole}
    return replace(document, tree=tree, keys=family.keys, values=family.values)


def _line(document: MarkedYaml, path: Path, reason: str) -> str:
    return f"{document.place(path, of_key=False)}: {'.'.join(map(str, path))}: {reason}"


def _parent(body: Tree) -> str | None:
    parent = body.get("extends") if isinstance(body, dict) else None
    return parent if isinstance(parent, str) else None


def _unknown(plans: Plans) -> Iterator[tuple[Path, str]]:
    for name, body in plans.items():
        parent = _parent(body)
        if parent is not None and parent not in plans:
            reason = f"{parent!r} is not a plan; there are {', '.join(plans)}"
            yield ("plans", name, "extends"), reason


def _circles(plans: Plans) -> Iterator[tuple[Path, str]]:
    """Each circle once, at the plan of it that is written first."""
    told: set[str] = set()
    for name in plans:
        line = [name]
        while (parent := _parent(plans.get(line[-1]))) is not None and parent not in line:
            line.append(parent)
        if parent == name and not told & set(line):
            told |= set(line)
            circle = " extends ".join([*line, name])
            yield ("plans", name, "extends"), f"{circle}; write one of them without it"


class _Family:
    """Makes plans whole, a parent before its children, and says where each part stands."""

    def __init__(self, document: MarkedYaml, plans: Plans) -> None:
        self.keys = dict(document.keys)
        self.values = dict(document.values)
        self._plans = plans
        self._whole: Plans = {}

    def whole(self, name: str) -> Tree:
        if name not in self._whole:
            body, parent = self._plans[name], _parent(self._plans[name])
            taken = None if parent is None else self.whole(parent)
            if isinstance(body, dict) and isinstance(taken, dict):
                kept = {key: value for key, value in taken.items() if key not in _OWN}
                body = self._merged(body, kept, ("plans", name), ("plans", str(parent)))
            self._whole[name] = body
        return self._whole[name]

    def _merged(self, own: Plans, taken: Plans, path: Path, source: Path) -> Tree:
        """What is written over what is taken over, whose place is `source`."""
        merged: Plans = {}
        for key in dict.fromkeys((*taken, *own)):
            here, there = (*path, key), (*source, key)
            mine, theirs = own.get(key), taken.get(key)
            if key not in own:
                self._take(theirs, here, there)
                merged[key] = theirs
            elif isinstance(mine, dict) and isinstance(theirs, dict) and not _is_whole(here):
                merged[key] = self._merged(mine, theirs, here, there)
            elif mine is not None or key not in taken:
                merged[key] = mine
        return merged

    def _take(self, tree: Tree, path: Path, source: Path) -> None:
        """The places of a part that is taken over."""
        for marks in (self.keys, self.values):
            if source in marks:
                marks[path] = marks[source]
        for key, child in _children(tree):
            self._take(child, (*path, key), (*source, key))


def _children(tree: Tree) -> Iterator[tuple[str | int, Tree]]:
    if isinstance(tree, dict):
        yield from tree.items()
    elif isinstance(tree, list):
        yield from enumerate(tree)


def _is_whole(path: Path) -> bool:
    """Is it a part of a plan that is not merged?"""
    inner = path[2:]
    return any(
        len(pattern) == len(inner)
        and all(want in ("*", part) for want, part in zip(pattern, inner, strict=True))
        for pattern in _WHOLE
    )
