from __future__ import annotations

from evenkeel.audit.model.found_once import FoundOnce


class Counter:
    asked = 0

    @FoundOnce
    def answer(self) -> int:
        """How often it was asked for."""
        self.asked += 1
        return self.asked


def test_it_is_found_when_asked_for_and_again_when_forgotten() -> None:
    counter = Counter()
    assert counter.asked == 0
    assert (counter.answer, counter.answer) == (1, 1)
    counter.__dict__.clear()
    assert (counter.answer, Counter().answer) == (1, 1)
    assert Counter.answer.__doc__ == "How often it was asked for."
