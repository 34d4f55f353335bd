"""The trained model's folder in, and for each text a score per category with the words that spoke for it.

The model is a blank spaCy pipeline with one multi-label text categorizer: a linear model over words, word pairs and
the letters inside words (`features`). It reads a text as a whole and each of its sentences alone. On disk it is two
files: `weights.npz` and `model.json`. They hold hashes of words seen in at least two mails, never a word itself.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from triaged.classify.features import (
    MAX_CHARS,
    MAX_SENTENCES,
    Sentence,
    Vocabulary,
    counted,
    familiar,
    sentences,
    shares,
    weighed,
)
from triaged.classify.phrases import bounded
from triaged.classify.verdict import MIN_FAMILIAR, Calibration, CategoryCalibration, sigmoid
from triaged.model import Evidence

SHIPPED = Path(__file__).with_name("model")
"""The folder of the model that comes with the program."""

MIN_EVIDENCE = 0.3
"""A sentence that scores less is not shown as evidence."""
MOST_MARKED = 5
"""Words marked in the sentence that spoke most."""


Mix = tuple[float, ...]
"""A coefficient for each of the `ingredients`."""


@dataclass(frozen=True, slots=True)
class Weights:
    """vocabularies: of words with pairs, and of letters. matrix: categories by their keys, one after the other, and one
    more, the bias."""

    vocabularies: tuple[Vocabulary, Vocabulary]
    matrix: Any


@dataclass(frozen=True, slots=True)
class Model:
    """categories: in the order of the weights. mixes: how each category's score comes from what they say.

    nlp: the spaCy pipeline; one thread at a time may use it.
    """

    model_id: str
    categories: tuple[str, ...]
    mixes: Mapping[str, Mix]
    calibration: Calibration
    weights: Weights
    nlp: Any


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the weights say of one text, before anything is added up: log-odds, one a category. strongest: of the
    sentence that speaks most for it; sentence: which. words: how many; familiar: share of the different ones that the
    model knows. complete: all of the text was read."""

    whole: tuple[float, ...]
    strongest: tuple[float, ...]
    sentence: tuple[Sentence, ...]
    words: int
    familiar: float
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """scores: 0..1 per category, not yet calibrated; empty when the text has no words.

    evidence: at most one sentence per category with the words in it that spoke most, their places in the text given;
    the weight is that sentence's score. familiar: as in `Opinion`. complete: all of the text was read.
    """

    scores: Mapping[str, float]
    evidence: tuple[Evidence, ...]
    familiar: float = 1.0
    complete: bool = True

    @property
    def readable(self) -> bool:
        """Whether anything may be sure: what was not read, or is not understood, may hold a complaint."""
        return self.complete and self.familiar >= MIN_FAMILIAR


def load(folder: Path | None = None) -> Model:
    """Load a model; None is the one that ships. About 2 s, most of it importing spaCy. Raises: OSError, ValueError."""
    import numpy

    folder = folder or SHIPPED
    told = json.loads((folder / "model.json").read_text("utf-8"))
    with numpy.load(folder / "weights.npz", allow_pickle=False) as stored:
        read = {name: stored[name] for name in stored}
    words = Vocabulary(read["word_keys"], read["word_rarity"].astype("float32"))
    letters = Vocabulary(read["letter_keys"], read["letter_rarity"].astype("float32"))
    weights = Weights((words, letters), read["weights"].astype("float32"))
    categories = tuple(told["categories"])
    width = len(words.keys) + len(letters.keys) + 1
    if weights.matrix.shape != (len(categories), width) or any(len(v.keys) != len(v.rarity) for v in (words, letters)):
        raise ValueError(f"{folder}: weights.npz does not fit model.json")
    fits = {name: CategoryCalibration.of(fit) for name, fit in told["calibration"].items()}
    calibration = Calibration(tuple(told["languages"]), fits)
    mixes = {name: tuple(told["mixes"][name]) for name in categories}
    if any(len(mix) != 2 * len(categories) + 2 for mix in mixes.values()):
        raise ValueError(f"{folder}: model.json mixes another number of categories")
    return Model(told["model_id"], categories, mixes, calibration, weights, pipeline(categories, weights))


def remembered(model_id: str, calibration: Calibration) -> Model:
    """A model of which only the id and the calibration are known: it weighs opinions that were kept, but has none."""
    nothing = Vocabulary((), ())
    return Model(model_id, tuple(calibration.categories), {}, calibration, Weights((nothing, nothing), None), None)


def save(
    folder: Path,
    *,
    categories: tuple[str, ...],
    weights: Weights,
    mixes: Mapping[str, Mix],
    calibration: Calibration,
) -> str:
    """Write a model into `folder`, made if missing; its id, which comes back, is a hash of all that is written."""
    import numpy

    told = {
        "categories": list(categories),
        "languages": list(calibration.languages),
        "mixes": {name: list(mix) for name, mix in mixes.items()},
        "calibration": {name: asdict(fit) for name, fit in calibration.categories.items()},
    }
    words, letters = weights.vocabularies
    arrays = {
        "word_keys": words.keys,
        "word_rarity": words.rarity.astype("float16"),
        "letter_keys": letters.keys,
        "letter_rarity": letters.rarity.astype("float16"),
        "weights": weights.matrix.astype("float16"),
    }
    octets = b"".join(array.tobytes() for array in arrays.values()) + json.dumps(told, sort_keys=True).encode()
    model_id = hashlib.sha256(octets).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    numpy.savez_compressed(folder / "weights.npz", **arrays)
    text = json.dumps({"model_id": model_id, **told}, indent=1, sort_keys=True)
    (folder / "model.json").write_text(text + "\n", "utf-8")
    return model_id


def pipeline(categories: Sequence[str], weights: Weights) -> Any:
    """The spaCy pipeline; `nlp(text).cats` gives the scores of the text as a whole."""
    import spacy

    _register()
    nlp = spacy.blank("xx")
    textcat: Any = nlp.add_pipe("textcat_multilabel", config={"model": {"@architectures": "triaged.RareWords.v2"}})
    for category in categories:
        textcat.add_label(category)
    textcat.model.attrs["weights"] = weights
    return nlp


def judge(model: Model, texts: Sequence[str]) -> list[Judged]:
    """Score texts (each a `Message.judged`), one after another; some 4 ms for a normal mail."""
    return [_judged(model, text, opinion) for text, opinion in zip(texts, opinions(model, texts), strict=True)]


def opinions(model: Model, texts: Sequence[str]) -> list[Opinion | None]:
    """What the weights say of each text; None of one without words."""
    return [_opinion(model, text) for text in texts]


def ingredients(opinion: Opinion) -> tuple[float, ...]:
    """What a score is mixed from: what the whole text says for each category, and its strongest sentence, how long the
    text is, and 1. A thank-you speaks against a complaint; a long text says less by each of its words."""
    return (*opinion.whole, *opinion.strongest, math.log1p(opinion.words), 1.0)


def mixed(opinion: Opinion, mix: Mix) -> float:
    """The model's score of a category, 0..1."""
    return sigmoid(math.fsum(each * share for each, share in zip(ingredients(opinion), mix, strict=True)))


def _opinion(model: Model, text: str) -> Opinion | None:
    import numpy

    with bounded(model.nlp):
        read = sentences(model.nlp.make_doc(text[:MAX_CHARS]))
    if len(read) == 0:
        return None
    whole = _log_odds(read, model.weights)
    each = numpy.array([_log_odds([sentence], model.weights) for sentence in read])
    best = each.argmax(axis=0)
    return Opinion(
        whole=tuple(float(value) for value in whole),
        strongest=tuple(float(value) for value in each.max(axis=0)),
        sentence=tuple(read[at] for at in best),
        words=sum(len(sentence.words) for sentence in read),
        familiar=familiar(read, model.weights.vocabularies[0]),
        complete=len(text) <= MAX_CHARS and len(read) < MAX_SENTENCES,
    )


def _log_odds(read: Sequence[Sentence], weights: Weights) -> Any:
    columns, values = weighed(counted(read), weights.vocabularies)
    return weights.matrix[:, columns] @ values + weights.matrix[:, -1]


def _judged(model: Model, text: str, opinion: Opinion | None) -> Judged:
    if opinion is None:
        return Judged({}, (), 0.0)
    scores, evidence = {}, []
    for index, category in enumerate(model.categories):
        scores[category] = mixed(opinion, model.mixes[category])
        score, sentence = sigmoid(opinion.strongest[index]), opinion.sentence[index]
        if score >= MIN_EVIDENCE:
            words = text[sentence.start : sentence.end]
            marks = _marks(sentence, index, model.weights)
            evidence.append(Evidence("model", category, round(score, 3), words, sentence.start, sentence.end, marks))
    return Judged(scores, tuple(evidence), opinion.familiar, opinion.complete)


def _marks(sentence: Sentence, index: int, weights: Weights) -> tuple[tuple[int, int], ...]:
    """Places of the words that add most to the category, in order."""
    added = shares(sentence, weights.vocabularies, weights.matrix[index])
    words = [
        (much, at) for much, at, word in zip(added, sentence.tokens, sentence.words, strict=True) if word.isalpha()
    ]
    return tuple(sorted(at for much, at in sorted(words, reverse=True)[:MOST_MARKED] if much > 0))


@cache
def _register() -> None:
    """Tell spaCy of the architecture: rarity-weighted words and letters, one logistic unit per category."""
    import numpy
    from spacy.util import registry
    from thinc.api import Model as Layer

    def forward(layer: Any, docs: Sequence[Any], is_train: bool) -> tuple[Any, Callable[[Any], list[Any]]]:
        scores = numpy.array([_log_odds(sentences(doc), layer.attrs["weights"]) for doc in docs], dtype="float32")
        return 1 / (1 + numpy.exp(-scores)), lambda _: []

    def rare_words(nO: int | None = None) -> Any:
        return Layer("rare_words", forward, dims={"nO": nO}, attrs={"multi_label": True, "weights": None})

    registry.architectures("triaged.RareWords.v2", func=rare_words)
