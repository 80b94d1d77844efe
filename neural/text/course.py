"""The course of `text_label`: which of the labels that people gave to texts does a new text deserve?

Words alone, words with the vectors of a pretrained model, or that model fine-tuned: the validation window
decides. Few labels or a language that the model does not know decide before it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from neural.artifacts import choose_device
from neural.calibration import Calibration
from neural.compression.storage import round_weights
from neural.data.history import Floats
from neural.fitting import Fitter, State
from neural.lessons import trainable
from neural.tasks.base import Report
from neural.text.artifact import write_classifier
from neural.text.classifier import Classifier, fit_frozen
from neural.text.fine_tuning import FEWEST, TextClassifier, TextLessons, begin_tuning, label_weights
from neural.text.labels import UNKNOWN, Split, Texts, read_labels, split_labels
from neural.text.linear import fit_weights, pool
from neural.text.lora import merge
from neural.text.measures import at_threshold, choose_threshold, label_curves, label_metrics, text_losses
from neural.text.pretrained import UNCOVERED, Pretrained, find_pretrained, unknown_share
from neural.text.vectors import Reader, Vectors, fast_half

SIZES = (0.1, 0.25, 0.5, 1.0)  # of the training texts, for the learning curve
BASELINES = ("majority", "tfidf_svm", "frozen")
METRIC = "negative_log_loss"
SHOWN = (METRIC, "accuracy", "f1")  # of each epoch


class TextCourse:
    """See `neural.courses.Course`."""

    metric = METRIC
    started: dict[str, Any] | None = None

    def __init__(self, config: TrainingConfig, dataset: Dataset, *, test: bool, root: Path | None) -> None:
        unknown = sorted(set(config.baselines) - set(BASELINES))
        if unknown:
            raise HandoffError(
                f"baselines has {', '.join(unknown)}; for texts there are {', '.join(BASELINES)}."
            )
        if config.start:
            raise HandoffError("start is set; a text task starts from text_model, so leave start empty.")
        self.config = config
        self.split: Split = split_labels(config, read_labels(config, dataset), test=test)
        self.windows = self.split.windows
        self.pretrained: Pretrained | None = find_pretrained(config.text_model) if config.text_model else None
        self._trained = 0
        self.calibration: Calibration = {}  # a classifier keeps its own
        self._check: Callable[[], None] | None = None
        self._chosen: Classifier | None = None  # fitted before the validation window
        self._final: Classifier | None = None  # what is tested and kept
        self._scope: dict[str, Any] = {}

    def examples(self) -> int:
        return len(self.split.train)

    def labels(self) -> int:
        return self.examples()  # each is somebody's

    def refits(self) -> bool:
        """What is tested has learnt from the validation window already, see `calibrate`."""
        return False

    def refit(self, fitter: Fitter, calibration: Calibration) -> None:
        raise NotImplementedError

    def parameters(self) -> int:
        """Of the fine-tuned encoder and head, 0 where nothing was fine-tuned."""
        return self._trained

    # What is prepared on first use, as it takes seconds.

    @cached_property
    def reader(self) -> Reader | None:
        """None where there is no model, or none for this language."""
        if self.pretrained is None:
            return None
        device = choose_device(self.config.device)
        half = self.config.precision == "bf16" or (self.config.precision == "auto" and fast_half(device))
        reader = Reader.load(self.pretrained, half)
        if unknown_share(reader.tokenizer, self.split.train.text) > UNCOVERED:
            return None
        round_weights(reader.encoder, self.config.export)  # what will be stored is what reads
        reader.encoder.to(device)
        return reader

    @cached_property
    def known(self) -> Texts:
        """Validation texts whose label can be given."""
        return self.split.validation.known

    @cached_property
    def train_vectors(self) -> Vectors | None:
        return self._read(self.split.train)

    @cached_property
    def known_vectors(self) -> Vectors | None:
        return self._read(self.known)

    def _read(self, texts: Texts) -> Vectors | None:
        return None if self.reader is None else self.reader.vectors(texts.text, self._check)

    @cached_property
    def frozen(self) -> Classifier:
        return self._fit_frozen(self.split.train, self.train_vectors)

    def _fit_frozen(self, texts: Texts, vectors: Vectors | None) -> Classifier:
        reader = None if vectors is None else self.reader
        balanced = self.config.class_weight == "balanced"
        return fit_frozen(self.split.names, texts.text, texts.label, reader, vectors, balanced)

    def why_not_tuned(self) -> str | None:
        """Why the pretrained encoder stays as it is, if it does."""
        if self.reader is None or self.pretrained is None:
            return "no_model" if self.pretrained is None else "language"
        if self.config.freeze_layers >= self.pretrained.layers:
            return "all_layers_frozen"
        if len(self.split.train) < FEWEST * len(self.split.names):
            return "few_labels"
        return None

    # Fitting

    def begin(self) -> tuple[TextClassifier, TextLessons]:
        reason = self.why_not_tuned()
        reader, dense = self.reader, self.frozen.dense
        if reason or reader is None or dense is None:
            raise HandoffError(
                f"There is nothing to fine-tune ({reason}): set text_model to a model of this language, "
                f"freeze_layers below its layers, and label {FEWEST} texts of each label on average."
            )
        train = self.split.train
        model = begin_tuning(reader, dense, float(self.frozen.weights[0]), self.config)
        self._trained = trainable(model)
        model.to(choose_device(self.config.device))
        weights = label_weights(train.label, len(self.split.names), self.config.class_weight)
        return model, TextLessons(train.text, train.label, reader, self.config, weights)

    def fit(self, fitter: Fitter) -> State:
        self._check = fitter.stop.check  # reading thousands of texts must be stoppable
        measured = self._frozen_on_validation()
        self._chosen = self.frozen
        if self.why_not_tuned():
            return State("training", best=measured.get(METRIC), curve=[])
        model, lessons = self.begin()
        half = "bf16" if lessons.reader.half else "fp32"
        fitter = replace(fitter, config=replace(self.config, precision=half))
        state = fitter.fit(
            "training",
            model,
            lessons,
            self.config.epochs,
            validate=lambda: self._validate(model, lessons.reader),
            metric=METRIC,
        )
        merge(model)
        if state.best is not None and state.best > measured.get(METRIC, -np.inf):
            self._chosen = self._tuned(model, lessons.reader)
        else:
            state.best, state.best_epoch = measured.get(METRIC), 0
        return state

    def _frozen_on_validation(self) -> dict[str, float]:
        """Pooled as suits the validation window best, as the fine-tuned one is."""
        if self.frozen.dense is None or self.known_vectors is None:
            return self._pooled([self._words()])
        return self._pooled([self.frozen.dense.scores(self.known_vectors), self._words()])

    def _validate(self, model: TextClassifier, reader: Reader) -> dict[str, float]:
        if len(self.known) == 0:
            return {}
        vectors = replace(reader, encoder=model.encoder).vectors(self.known.text, self._check)
        return self._pooled([model.linear().scores(vectors), self._words()])

    def _words(self) -> Floats:
        return self.frozen.words.scores(self.frozen.lexical.features(self.known.text))

    def _pooled(self, parts: list[Floats]) -> dict[str, float]:
        if len(self.known) == 0:
            return {}
        probability = pool(parts, fit_weights(parts, self.known.label))
        found = label_metrics(self.known.label, probability)
        return {name: value for name, value in found.items() if name in SHOWN and value is not None}

    def _tuned(self, model: TextClassifier, frozen: Reader) -> Classifier:
        """The fine-tuned vectors and their head beside the words, pooled on the validation window."""
        round_weights(model.encoder, self.config.export)
        reader, dense = replace(frozen, encoder=model.encoder), model.linear()
        parts = [dense.scores(reader.vectors(self.known.text, self._check)), self._words()]
        return replace(
            self.frozen,
            path="tuned",
            weights=fit_weights(parts, self.known.label),
            memory=reader.vectors(self.split.train.text, self._check),
            reader=reader,
            dense=dense,
        )

    # Evaluating

    def calibrate(self) -> None:
        """Choose from which score on a text is answered without a person looking."""
        chosen, validation = self._fitted(), self.split.validation
        answers = chosen.answer(validation.text)
        self._scope = choose_threshold(answers.scope, answers.best == validation.label)

    def _fitted(self) -> Classifier:
        return self._chosen if self._chosen is not None else self.frozen

    def _kept(self) -> Classifier:
        """Cheap parts learn from the validation texts too, now that these have chosen what they could."""
        if self._final is None:
            self._final = chosen = self._fitted()
            if chosen.path != "tuned" and len(self.known):
                vectors = None
                if self.train_vectors is not None and self.known_vectors is not None:
                    vectors = np.concatenate([self.train_vectors, self.known_vectors])
                self._final = self._fit_frozen(self.split.train + self.known, vectors)
        return self._final

    def report(self, cutoff: float) -> Report:
        on_test = cutoff == self.windows.test
        texts = self.split.test if on_test else self.split.validation
        classifier = self._kept() if on_test else self._fitted()
        answers = classifier.answer(texts.text)
        inside = np.flatnonzero(texts.label != UNKNOWN)
        label, probability = texts.label[inside], answers.probability[inside]
        right = answers.best == texts.label
        scope = at_threshold(answers.scope, right, self._scope.get("threshold"))
        others = self._baselines(texts.known)
        return Report(
            count=len(texts),
            model={**label_metrics(label, probability), **scope},
            baselines={name: label_metrics(label, found) for name, found in others.items()},
            curves={**label_curves(self.split.names, label, probability), "texts": self.facts(classifier)},
            examples=_examples(texts.known, probability, others) if on_test else pl.DataFrame(),
            sliced_by="accuracy" if on_test else "",
        )

    def _baselines(self, known: Texts) -> dict[str, Floats]:
        """Probabilities of each configured baseline; all learnt from the training window alone. (N, C)"""
        train, wanted = self.split.train, self.config.baselines
        found: dict[str, Floats] = {}
        if "majority" in wanted:
            shares = np.bincount(train.label, minlength=len(self.split.names)) / len(train)
            found["majority"] = np.tile(shares, (len(known), 1))
        if "tfidf_svm" in wanted:
            found["tfidf_svm"] = self._words_alone.answer(known.text).probability
        if "frozen" in wanted:
            found["frozen"] = self.frozen.answer(known.text).probability
        return found

    @cached_property
    def _words_alone(self) -> Classifier:
        return self._fit_frozen(self.split.train, None)

    def facts(self, classifier: Classifier) -> dict[str, Any]:
        """What the figures cannot say: how it was cut, what it is made of and why."""
        return {
            "path": classifier.path,
            "not_tuned": None if classifier.path == "tuned" else self.why_not_tuned() or "validation",
            "pretrained": self.pretrained.as_json() if self.pretrained else None,
            "split": self.split.by,
            "left_out": self.split.left_out,
            "weights": classifier.weights.tolist(),
            "scope": self._scope,
            "suggest_only": self._scope.get("threshold") is None,
            "seen_before": self._seen_before,
            "by_labels": self._by_labels,
        }

    @cached_property
    def _seen_before(self) -> float | None:
        """Share of the test texts that stand among the training texts word for word: easy ones."""
        early = {text.strip().lower() for text in self.split.train.text}
        later = [text.strip().lower() in early for text in self.split.test.text]
        return float(np.mean(later)) if later else None

    @cached_property
    def _by_labels(self) -> list[dict[str, float]]:
        """Accuracy on the validation window by the number of labels that the cheap parts learnt from."""
        train, labels = self.split.train, len(self.split.names)
        order = np.random.default_rng(self.config.seed).permutation(len(train))
        found: list[dict[str, float]] = []
        for size in sorted({round(share * len(train)) for share in SIZES}):
            rows = np.sort(order[:size])
            if len(self.known) == 0 or np.bincount(train.label[rows], minlength=labels).min() < 2:
                continue
            vectors = None if self.train_vectors is None else self.train_vectors[rows]
            part = self._fit_frozen(train.take(rows), vectors)
            best = part.answer(self.known.text, self.known_vectors).best
            found.append({"labels": size, "accuracy": float(np.mean(best == self.known.label))})
        return found

    def compression(self, test: Report) -> dict[str, Any] | None:
        return None

    def write(self, folder: Path, card: Mapping[str, Any]) -> None:
        kept = self._kept()
        facts = self.facts(kept)
        write_classifier(
            folder,
            classifier=kept,
            config=self.config,
            pretrained=self.pretrained,
            windows=self.windows.as_json(),
            scope=self._scope,
            card={**card, "texts": facts},
        )


def _examples(known: Texts, probability: Floats, others: Mapping[str, Floats]) -> pl.DataFrame:
    """The columns of `handoff.predictions`, one row a text; a text without a customer stands for itself."""
    rows = known.frame
    item = pl.when(pl.col("key") == "").then(pl.col("text").hash(seed=0).cast(pl.String)).otherwise("key")
    alone = pl.concat_str("subject", item, separator=":")
    named = rows.select(
        pl.when(pl.col("customer") == "").then(alone).otherwise("customer").alias("customer"),
        pl.col("at"),
        item.alias("key"),
        pl.col("subject").alias("slice.subject"),
        pl.col("label").alias("slice.given_label"),
    )
    columns = []
    for method, found in {"": probability, **{f"{name}.": found for name, found in others.items()}}.items():
        right = (found.argmax(axis=1) == known.label).astype(np.float64)
        columns.append(pl.Series(f"{method}accuracy", right))
        columns.append(pl.Series(f"{method}negative_log_loss", -text_losses(known.label, found)))
    return named.with_columns(columns)
