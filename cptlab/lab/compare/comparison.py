"""What a comparison found: all runs, a table with intervals and differences, figures, files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from cptlab.lab import figures
from cptlab.lab.compare.question import PRIMARY, Question
from cptlab.lab.figures.style import headline, in_style, save, use_style
from cptlab.lab.runs.frame import runs_frame
from cptlab.lab.runs.results import Result
from cptlab.lab.study import comparison_message
from cptlab.lab.study.beside import with_class_measures
from cptlab.lab.study.claims.variants import ZERO_SHOT
from cptlab.lab.study.comparison import gains, thirds_gaps
from cptlab.lab.study.comparison import gaps as corrected_gaps
from cptlab.lab.study.intervals import FEWEST
from cptlab.lab.study.parts import parts_of
from cptlab.lab.study.summary import NUMBERS, PARTS, markdown, plain, summarise, text_of
from cptlab.lab.study.tables import differences, for_every_seed

THIRDS = ("head", "medium", "tail")
METRICS = {
    "base_to_new": ("H", "base", "new", *THIRDS),
    "few_shot": ("all", "macro", *THIRDS),
    "transfer": ("targets", "domains", "source", *THIRDS),
}
"""Protocol -> accuracies of the table, in percent."""
MAIN = {"H": "H", "all": "accuracy", "targets": "mean accuracy on the targets"}
"""Accuracy that a protocol is about -> what sentences call it."""
MEAN = "mean of the data sets"


@dataclass(frozen=True)
class Comparison:
    """Finished runs of a question, in the order of its study."""

    question: Question
    results: tuple[Result, ...]

    def __repr__(self) -> str:
        asked = self.question
        return (
            f"Comparison of {', '.join(asked.chosen)} on {', '.join(asked.named)}: "
            f"{len(self.results)} runs; see .frame, .table(), .plot() and .save(folder)"
        )

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row for each run (`cptlab.lab.runs.frame.runs_frame`); `method` is the label that
        tables show, and `dataset` the short name.
        """
        frame = runs_frame(result.details for result in self.results)
        short = {full: name for name, full in self.question.named.items()}
        labels = [self.question.study[result.spec] for result in self.results]
        return frame.assign(method=labels, dataset=frame["dataset"].map(short))

    def by_label(self) -> dict[str, list[Result]]:
        """The runs of each method."""
        found: dict[str, list[Result]] = {label: [] for label in self.question.chosen}
        for result in self.results:
            found[self.question.study[result.spec]].append(result)
        return found

    @property
    def metrics(self) -> list[str]:
        """Accuracies of the table: those of the protocol that these runs have."""
        return [name for name in METRICS[self.question.protocol] if name in self.frame]

    @cached_property
    def _runs(self) -> pd.DataFrame:
        """What the table needs of every run, with what its metrics are means of."""
        columns = ["dataset", "method", "tau", "seed", *self.metrics]
        runs = self.frame[columns].assign(**{PARTS: list(map(parts_of, self.results))})
        return with_class_measures(runs, self.results)

    def summary(self) -> pd.DataFrame:
        """The numbers of the table, tidy, for each data set and for their mean.

        Returns:
            Columns dataset, tau, method, metric; against: empty, or the method whose run of the
            same seed was subtracted; and the numbers of `cptlab.lab.study.summary.summarise`: mean,
            lower and upper (a 95 % interval over data sets and seeds, or over a single one's
            classes and seeds; none with fewer than five runs), least and most of the runs, n
            (their number) and datasets.
        """
        runs = self._runs
        parts = {name: runs[runs["dataset"] == name] for name in self.question.named}
        if len(parts) > 1:
            parts = {MEAN: runs} | parts
        tables = []
        for name, rows in parts.items():
            tables.append(summarise(rows, self.metrics).assign(dataset=name, against=""))
            seeded = for_every_seed(rows, ZERO_SHOT)
            for label in self.question.against:
                gaps = differences(seeded, label, self.metrics)
                gaps = gaps[gaps["method"] != ZERO_SHOT]  # that is the other difference again
                gaps = summarise(gaps, self.metrics)
                tables.append(gaps.assign(dataset=name, against=label))
        columns = ["dataset", "tau", "method", "metric", "against", *NUMBERS]
        return pd.concat(tables, ignore_index=True)[columns]

    def table(self) -> pd.DataFrame:
        """Accuracies in percent and paired differences in points, as text: "71.2 [69.8, 72.6]",
        or with the range of fewer than five runs, "71.2 (70.1 to 72.0)".

        A row for each data set (their mean first), tau and method; behind the accuracies stand the
        differences of the protocol's main accuracy and of the tail to zero-shot and the reference.
        """
        main = PRIMARY[self.question.protocol]
        summary = self.summary()
        shown = summary[(summary["against"] == "") | summary["metric"].isin([main, "tail"])]
        columns = shown["metric"] + shown["against"].map(lambda label: label and f" - {label}")
        texts = [text_of(row) for row in shown.itertuples()]
        shown = shown.assign(column=columns, text=texts)
        keys = ["dataset", "tau", "method"]
        wide = shown.pivot(index=keys, columns="column", values="text").fillna("")
        ranked = {name: list(dict.fromkeys(shown[name])) for name in keys}
        order = shown[keys].drop_duplicates()
        order = order.sort_values(keys, key=lambda column: column.map(ranked[column.name].index))
        wide = wide.reindex(pd.MultiIndex.from_frame(order), columns=list(dict.fromkeys(columns)))
        wide.columns.name = None
        return wide.droplevel("dataset") if len(self.question.named) == 1 else wide

    def as_text(self) -> str:
        """The table of the mean over the data sets as two narrow ones: accuracies, differences; and
        what stands in brackets.
        """
        table = self.table()
        table = table.loc[MEAN] if MEAN in table.index else table
        gaps = [name for name in table.columns if " - " in name]
        own = [name for name in self.metrics if name not in THIRDS[:2]]
        learned = table.drop(index=ZERO_SHOT, level="method")
        return f"{table[own].to_string()}\n\n{learned[gaps].to_string()}\n\n{self._in_brackets()}"

    def _in_brackets(self) -> str:
        """What brackets hold in the table of the mean over the data sets, as far as it has them."""
        summary = self.summary()
        several = summary[(summary["dataset"] == summary["dataset"].iloc[0]) & (summary["n"] > 1)]
        bare = several["lower"].isna()
        few = f"lowest and highest of fewer than {FEWEST} runs, which is no interval"
        present = {"[...]: 95 % interval": not bare.all(), f"(...): {few}": bare.any()}
        return "; ".join(text for text, there in present.items() if there)

    def plot(self) -> Figure:
        """Means with intervals: a row for each tau, a column for each accuracy."""
        mean = self._of_all(self.summary())
        names = {name: name for name in self.metrics if name not in THIRDS[:2]}
        with use_style():
            figure = plt.figure(figsize=(8, 1))
            figures.method_grid(mean, names, figure)
            headline(figure, ". ".join(self.messages()))
        return in_style(figure)

    def plot_tail(self) -> Figure:
        """At the smallest tau, minus zero-shot: by thirds, and by a class's number of images."""
        tau = self.frame["tau"].min()
        thirds = thirds_gaps(self._runs[self._runs["tau"] == tau])
        with use_style():
            figure = plt.figure()
            figures.tail_panels(thirds, self.gains(), figure)
            headline(figure, comparison_message.tail(thirds))
        return in_style(figure)

    def gains(self) -> pd.DataFrame:
        """Gains of the learned classes over zero-shot at the smallest tau, by numbers of images
        (`cptlab.lab.study.comparison.gains`).
        """
        smallest = min(result.spec.tau for result in self.results)
        classes = pd.concat(
            result.classes.dropna(subset="n_k").assign(
                method=self.question.study[result.spec],
                dataset=result.spec.dataset,
                seed=result.spec.seed,
            )
            for result in self.results
            if result.spec.tau == smallest
        )
        return gains(classes)

    def messages(self) -> list[str]:
        """For each tau which methods are higher and lower than what differences are against in the
        protocol's main accuracy, corrected for all of these, and the lowest and the highest mean.
        """
        main = PRIMARY[self.question.protocol]
        gaps = corrected_gaps(self._runs, [main], self.question.against)
        means = self._of_all(self.summary()).query("metric == @main")
        sentences = []
        for tau, rows in means.groupby("tau", sort=False):
            own = rows.set_index("method")["mean"]
            low, high = (f"{own[name]:.1f} % ({name})" for name in (own.idxmin(), own.idxmax()))
            told = comparison_message.against(gaps[gaps["tau"] == tau], main, MAIN[main])
            sentences.append(f"{told}. Means from {low} to {high}")
        return sentences

    def save(self, folder: str | Path) -> Path:
        """Write runs.csv, the table (CSV of numbers, Markdown, LaTeX) and both figures.

        Existing files of these names are replaced. Returns the folder.
        """
        folder = Path(folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        self.frame.to_csv(folder / "runs.csv", index=False)
        summary, table = self.summary(), self.table()
        summary.to_csv(folder / "table.csv", index=False, float_format="%.4f")
        (folder / "table.md").write_text(markdown(table), encoding="utf-8")
        table.rename(index=plain).to_latex(folder / "table.tex", escape=True)
        comparison, tail = self.plot(), self.plot_tail()
        save(comparison, self._of_all(summary), folder, "comparison")
        save(tail, self.gains().drop(columns=["reference", "panel"]), folder, "tail")
        plt.close(comparison)
        plt.close(tail)
        return folder

    def _of_all(self, summary: pd.DataFrame) -> pd.DataFrame:
        """Accuracies themselves, of the mean over data sets or of the only one."""
        first = next(iter(summary["dataset"]))
        return summary[(summary["dataset"] == first) & (summary["against"] == "")]
