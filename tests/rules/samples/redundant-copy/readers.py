import copy
from collections.abc import Mapping, Sequence


class Reader:
    def count(self, messages: Sequence[Mapping[str, object]]) -> int:
        """A parameter of a type that cannot be written to; what is made of it is a number."""
        total = 0
        for message in messages:
            total += len(str(message.get("text", "")))
        return total

    def kept(self, messages: Sequence[Mapping[str, object]]) -> list[object]:
        return [message for message in messages]

    def sorted_in_place(self, messages: list[Mapping[str, object]]) -> int:
        messages.sort(key=str)
        return len(messages)


class Cloning:
    def __init__(self) -> None:
        self.reader = Reader()

    def count(self, messages: list[Mapping[str, object]]) -> int:
        return self.reader.count(copy.deepcopy(list(messages)))  # flagged

    def kept(self, messages: list[Mapping[str, object]]) -> list[object]:
        return self.reader.kept(copy.deepcopy(messages))

    def order(self, messages: list[Mapping[str, object]]) -> int:
        return self.reader.sorted_in_place(copy.deepcopy(messages))
