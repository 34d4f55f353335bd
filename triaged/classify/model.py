"""The trained model's folder in, and for each text a score per category with the words that spoke for it.

The model is a blank spaCy pipeline with one multi-label text categorizer: a linear model over words, word pairs and
stems. It reads the whole text; each sentence is read alone to find the words that spoke most. On disk it is two files:
`weights.npz` and `model.json`. They hold hashes of words seen in at least two mails, never a word itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from triaged.classify.phrases import bounded
from triaged.classify.verdict import Calibration, CategoryCalibration, logit, sigmoid
from triaged.model import Evidence

SHIPPED = Path(__file__).with_name("model")
"""The folder of the model that comes with the program."""

STEM_CHARS = 5
"""First letters of a word that stand for its stem; other lengths were not measured."""
MAX_CHARS = 4_000
"""Characters read of a text: bounds the time; longer mails say what they want before that."""
MAX_SENTENCES = 40
"""Sentences scored one by one."""
SENTENCE_SHARE = 0.5
"""How much the strongest sentence counts against the whole text. With the rules 0.5 gave macro F1 0.50, 0.3 gave 0.48
(cross-validation on gold_dev, 2026-11-22; average precision was the same)."""
MIN_EVIDENCE = 0.3
"""A sentence that scores less is not shown as evidence."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n|\n(?=\s*[-*•])")
_URL = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+\.\w+")
_DIGITS = re.compile(r"\d+")
_QUOTES = str.maketrans("‘’´`", "''''")


@dataclass(frozen=True, slots=True)
class Words:
    """keys: sorted hashes (uint64) of the words and pairs it knows. rarity: log(texts / texts with it), one a key.

    weights: categories by keys and one more, the bias.
    """

    keys: Any
    rarity: Any
    weights: Any


@dataclass(frozen=True, slots=True)
class Model:
    """categories: in the order of the weights. nlp: the spaCy pipeline; one thread at a time may use it."""

    model_id: str
    categories: tuple[str, ...]
    calibration: Calibration
    nlp: Any


@dataclass(frozen=True, slots=True)
class Judged:
    """scores: 0..1 per category, not yet calibrated; empty when the text has no words.

    evidence: at most one sentence per category, its place in the text given; the weight is that sentence's score.
    """

    scores: Mapping[str, float]
    evidence: tuple[Evidence, ...]


def load(folder: Path | None = None) -> Model:
    """Load a model; None is the one that ships. About 2 s, most of it importing spaCy. Raises: OSError, ValueError."""
    import numpy

    folder = folder or SHIPPED
    told = json.loads((folder / "model.json").read_text("utf-8"))
    with numpy.load(folder / "weights.npz", allow_pickle=False) as stored:
        words = Words(stored["keys"], stored["rarity"].astype("float32"), stored["weights"].astype("float32"))
    categories = tuple(told["categories"])
    if words.weights.shape != (len(categories), len(words.keys) + 1) or len(words.rarity) != len(words.keys):
        raise ValueError(f"{folder}: weights.npz does not fit model.json")
    fits = {name: CategoryCalibration(**fit) for name, fit in told["calibration"].items()}
    calibration = Calibration(tuple(told["languages"]), fits)
    return Model(told["model_id"], categories, calibration, pipeline(categories, words))


def save(folder: Path, *, categories: tuple[str, ...], words: Words, calibration: Calibration) -> None:
    """Write a model into `folder`, made if missing; its id is a hash of all that is written."""
    import numpy

    told = {
        "categories": list(categories),
        "languages": list(calibration.languages),
        "calibration": {name: asdict(fit) for name, fit in calibration.categories.items()},
    }
    arrays = {
        "keys": words.keys,
        "rarity": words.rarity.astype("float16"),
        "weights": words.weights.astype("float16"),
    }
    octets = b"".join(array.tobytes() for array in arrays.values()) + json.dumps(told, sort_keys=True).encode()
    model_id = hashlib.sha256(octets).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    numpy.savez_compressed(folder / "weights.npz", **arrays)
    text = json.dumps({"model_id": model_id, **told}, indent=1, sort_keys=True)
    (folder / "model.json").write_text(text + "\n", "utf-8")


def pipeline(categories: Sequence[str], words: Words) -> Any:
    """The spaCy pipeline; `nlp(text).cats` gives the scores of the text as a whole."""
    import spacy

    _register()
    nlp = spacy.blank("xx")
    textcat: Any = nlp.add_pipe("textcat_multilabel", config={"model": {"@architectures": "triaged.RareWords.v1"}})
    for category in categories:
        textcat.add_label(category)
    textcat.model.attrs["words"] = words
    return nlp


def counted(doc: Any) -> tuple[Any, Any]:
    """The hashes of a doc's words, word pairs and stems (lower case), sorted, and log(1 + how often) of each."""
    import numpy
    from spacy.attrs import LOWER

    words = doc.to_array([LOWER])
    pairs = _ops().ngrams(2, words) if len(words) > 1 else words[:0]
    stems = numpy.array([_stem(token.lower_) for token in doc], dtype="uint64")
    keys, counts = numpy.unique(numpy.concatenate((words, pairs, stems)), return_counts=True)
    return keys, numpy.log1p(counts).astype("float32")


@lru_cache(maxsize=50_000)
def _stem(word: str) -> int:
    """The hash of a word's first letters: a crude stem in every language. Model alone, renewals: average
    precision 0.41 instead of 0.31 (cross-validation on gold_dev, 2026-11-22)."""
    from spacy.strings import get_string_id

    return int(get_string_id("~" + word[:STEM_CHARS]))


def weighed(keys: Any, values: Any, words: Words) -> tuple[Any, Any]:
    """Columns in `words` of the known keys, and their values by rarity, scaled to length 1: a long mail must not be
    judged with more confidence than a short one."""
    import numpy

    columns = numpy.searchsorted(words.keys, keys).clip(max=len(words.keys) - 1)
    known = words.keys[columns] == keys
    columns = columns[known]
    values = values[known] * words.rarity[columns]
    return columns, values / max(float(numpy.linalg.norm(values)), 1e-6)


def judge(model: Model, texts: Sequence[str]) -> list[Judged]:
    """Score texts (each a `Message.judged`), one after another; about 1.5 ms for a normal mail."""
    judged: list[Judged] = []
    for text in texts:
        places = sentences(text)
        if len(places) == 0:
            judged.append(Judged({}, ()))
            continue
        with bounded(model.nlp):
            docs = [model.nlp.make_doc(plain(text[:MAX_CHARS]))]
            docs += [model.nlp.make_doc(plain(text[start:end])) for start, end in places]
            whole, *each = model.nlp.get_pipe("textcat_multilabel").model.predict(docs).tolist()
            del docs
        scores, evidence = {}, []
        for index, category in enumerate(model.categories):
            best = max(range(len(places)), key=lambda at, index=index: each[at][index])  # type: ignore[misc]
            strongest = each[best][index]
            scores[category] = together(whole[index], strongest)
            if strongest >= MIN_EVIDENCE:
                start, end = places[best]
                evidence.append(Evidence("model", category, round(strongest, 3), text[start:end], start, end))
        judged.append(Judged(scores, tuple(evidence)))
    return judged


def together(whole: float, strongest: float) -> float:
    """One score from that of the whole text and that of its strongest sentence: their mean in log-odds."""
    return sigmoid((1 - SENTENCE_SHARE) * logit(whole) + SENTENCE_SHARE * logit(strongest))


def sentences(text: str) -> list[tuple[int, int]]:
    """Places of the sentences that have a letter, in order, within the first `MAX_CHARS`; at most `MAX_SENTENCES`."""
    return list(_sentences(text[:MAX_CHARS]))[:MAX_SENTENCES]


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for start, end in (*((cut.start(), cut.end()) for cut in _SENTENCE_END.finditer(text)), (len(text), len(text))):
        piece = text[done:start]
        if any(letter.isalpha() for letter in piece):
            blanks = len(piece) - len(piece.lstrip())
            yield done + blanks, done + len(piece.rstrip())
        done = end


def plain(text: str) -> str:
    """The text as the model reads it: numbers, addresses and links as one word each, straight apostrophes."""
    return _DIGITS.sub("0", _URL.sub("url", text)).translate(_QUOTES)


@cache
def _ops() -> Any:
    from thinc.api import NumpyOps

    return NumpyOps()


@cache
def _register() -> None:
    """Tell spaCy of the architecture: rarity-weighted words, one logistic unit per category."""
    import numpy
    from spacy.util import registry
    from thinc.api import Model as Layer

    def forward(layer: Any, docs: Sequence[Any], is_train: bool) -> tuple[Any, Callable[[Any], list[Any]]]:
        words: Words = layer.attrs["words"]
        scores = numpy.empty((len(docs), len(words.weights)), dtype="float32")
        for row, doc in enumerate(docs):
            columns, values = weighed(*counted(doc), words)
            scores[row] = words.weights[:, columns] @ values + words.weights[:, -1]
        return 1 / (1 + numpy.exp(-scores)), lambda _: []

    def rare_words(nO: int | None = None) -> Any:
        return Layer("rare_words", forward, dims={"nO": nO}, attrs={"multi_label": True, "words": None})

    registry.architectures("triaged.RareWords.v1", func=rare_words)
