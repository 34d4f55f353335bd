"""What the model counts in a text: sentences in their places, words, pairs and pieces, however hostile the text is."""

from __future__ import annotations

import numpy
import pytest
import spacy

from triaged.classify.features import (
    MAX_CHARS,
    MAX_SENTENCE_CHARS,
    MAX_SENTENCES,
    Sentence,
    Vocabulary,
    counted,
    familiar,
    sentences,
    weighed,
)

NLP = spacy.blank("xx")


def read(text: str) -> tuple[Sentence, ...]:
    return sentences(NLP.make_doc(text))


def test_sentences_and_words_stand_in_their_places() -> None:
    text = "Invoice 4711\n\nHello Ann!  Could you re-send it? See https://a.example/x?y=1.\n- Don’t wait\n\n*** 12 ***"
    found = read(text)
    assert [text[each.start : each.end] for each in found] == [
        "Invoice 4711",
        "Hello Ann!",
        "Could you re-send it?",
        "See https://a.example/x?y=1.",
        "- Don’t wait",
    ]
    assert found[0].words == ("invoice", "0")
    assert found[3].words[:2] == ("see", "url")
    assert "don't" in found[4].words
    for each in found:
        assert len(each.words) == len(each.tokens)
        assert [start for start, _ in each.tokens] == sorted(start for start, _ in each.tokens)
        assert all(each.start <= start < end <= each.end for start, end in each.tokens)
    assert [text[start:end] for start, end in found[1].tokens] == ["Hello", "Ann", "!"]


@pytest.mark.parametrize(
    "text",
    ["", "\n", "4711 -- *", "?" * 10_000, "a" * 10_000, "ä\u0301\u200b\ufeff" * 3_000, "word " * 5_000, "x.\n" * 5_000],
)
def test_any_text_is_read_within_bounds(text: str) -> None:
    found = read(text)
    assert len(found) <= MAX_SENTENCES
    assert all(each.end <= MAX_CHARS for each in found)
    assert sum(len(each.words) for each in found) <= MAX_CHARS
    counted(found)


def test_a_page_without_a_full_stop_is_read_in_pieces() -> None:
    line = "blah " * 300
    found = read(f"{line} we are very unhappy {line}")
    assert len(found) > 4
    assert max(each.end - each.start for each in found) <= MAX_SENTENCE_CHARS + 10
    assert sum("unhappy" in each.words for each in found) == 1


def test_words_pairs_and_pieces_are_counted() -> None:
    (words, how_often), (pieces, of_words) = counted(read("late late delivery"))
    assert len(words) == 2 + 2  # late, delivery; late late, late delivery
    assert how_often.tolist() == pytest.approx(numpy.log1p([2, 1, 1, 1]).tolist())
    late = " late "
    assert len(pieces) == sum(len(late) - size + 1 for size in (3, 4, 5)) + sum(
        len(" delivery ") - size + 1 for size in (3, 4, 5)
    )
    assert set(of_words.round(4).tolist()) == set(numpy.log1p([2, 1]).astype("float32").round(4).tolist())


def test_known_words_weigh_the_same_however_long_the_text() -> None:
    short, long = counted(read("late delivery")), counted(read("late delivery of nothing we know whatsoever today"))
    keys = numpy.sort(short[0][0][:2])
    known = (Vocabulary(keys, numpy.ones(2, dtype="float32")), Vocabulary(numpy.sort(short[1][0])[:1], numpy.ones(1)))
    for counts in (short, long):
        columns, values = weighed(counts, known)
        assert sorted(columns.tolist()) == [0, 1, 2]
        assert values.tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 1.0])
    nothing = weighed(counted(read("nothing")), known)
    assert nothing[0].tolist() == []


def test_how_much_is_familiar() -> None:
    words = Vocabulary(numpy.sort(counted(read("late delivery"))[0][0][:2]), numpy.ones(2))
    assert familiar(read("Late delivery"), words) == 1.0
    assert familiar(read("Late consegna, 12"), words) == 0.5
    assert familiar((), words) == 0.0
