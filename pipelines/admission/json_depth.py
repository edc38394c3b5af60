"""How deep JSON text nests, found without recursion: a decoder's own bound depends on its caller.

Brackets inside strings do not count. Text that is not JSON gets an answer, too, and is left to the
decoder to refuse.
"""

import re

MAX_DEPTH = 64
"""How deep an element may nest. Decoding recurses, and how far it can depends on its caller: a
bound of our own keeps every reader's judgement the same."""

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{\]},]', re.DOTALL)


def is_too_deep(text: bytes, limit: int) -> bool:
    """Does the text nest deeper than the limit?"""
    if text.count(b"[") + text.count(b"{") <= limit:
        return False
    depth = 0
    for found in _TOKENS.finditer(text):
        token = found[0]
        if token in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif token in b"]}":
            depth -= 1
    return False


def without_deep_elements(array: bytes, limit: int) -> tuple[bytes, dict[int, bytes]]:
    """An array's text in which `null` stands for each element that nests deeper than the limit.

    Also those elements, by index, so that one of them does not cost its neighbours their place.
    """
    kept, deep = [], {}
    depth = deepest = index = start = copied = 0
    for found in _TOKENS.finditer(array):
        token = found[0]
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            start = found.start() if depth == 2 else start
        elif token in b"]}":
            depth -= 1
            if depth == 1 and deepest > limit + 1:
                deep[index] = array[start : found.end()]
                kept.append(array[copied:start])
                copied = found.end()
            deepest = deepest if depth > 1 else 0
        elif token == b"," and depth == 1:
            index += 1
    return b"null".join([*kept, array[copied:]]), deep
