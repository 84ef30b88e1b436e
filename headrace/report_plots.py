"""The plots of an evaluation: metric with intervals, by band, by length of history, coverage against accuracy."""

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.evaluation_intervals import Estimate
from models.evaluation_report import (
    ALL,
    BAND,
    LENGTH,
    NDCG,
    NEW_USERS,
    NOVEL,
    OURS,
    REGION,
    MethodResult,
    ModeResult,
    Report,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 130
OURS_COLOUR, INK, QUIET = "#0b6e8f", "#22313a", "#9aa7ad"
PEER_COLOURS = (
    "#d1495b",
    "#edae49",
    "#66a182",
    "#7d5ba6",
    "#8d6a4f",
    "#4f6d8d",
    "#b0a160",
    "#5f5f5f",
    "#c27ba0",
    "#1f3b2d",
    "#e8c9a0",
    "#7fb8d4",
)
COMPARED = 4  # methods drawn by group: ours and the best others
TITLES = {ALL: "repeats count", NOVEL: "only new items count", NEW_USERS: "people without a history"}


def draw_all(report: Report, folder: Path) -> dict[str, Path]:
    """Write the PNG files and return them by what they show."""
    import matplotlib as mpl

    mpl.use("Agg")
    with mpl.rc_context(_style()):
        made = {
            "accuracy": _save(_accuracy(report), folder / "accuracy.png"),
            "bands": _save(_by_group(report, BAND, "Activity band"), folder / "bands.png"),
            "history": _save(_by_group(report, LENGTH, "Events in the history"), folder / "history.png"),
            "regions": _save(_by_group(report, REGION, "Region"), folder / "regions.png"),
            "coverage": _save(_coverage(report), folder / "coverage.png"),
        }
    return {name: path for name, path in made.items() if path is not None}


def _accuracy(report: Report) -> "Figure | None":
    modes = [mode for mode in report.modes if mode.users]
    names = [one.name for one in _ranked(modes[0])][::-1]
    figure, axes = _figure(len(modes), width=4.3 * len(modes) + 1.4, height=0.42 * len(names) + 1.5, share=True)
    for axis, mode in zip(axes, modes, strict=True):
        found = {one.name: one.metrics[NDCG] for one in mode.methods}
        for place, name in enumerate(names):
            if name not in found:
                continue
            colour, value = OURS_COLOUR if name == OURS else QUIET, found[name]
            _bar(axis, place, value, colour)
            axis.text(value.high, place, f"  {value.mean:.3f}", va="center", color=INK, fontsize=8)
        axis.set_yticks(range(len(names)), names)
        axis.set_title(f"{mode.mode}: {TITLES[mode.mode]}\n{mode.users:,} people", loc="left")
        axis.set_xlabel("NDCG@10 with 95 % interval")
        axis.set_xlim(0, max(value.high for value in found.values()) * 1.18 or 1)
    for label in axes[0].get_yticklabels():
        if label.get_text() == OURS:
            label.set(fontweight="bold", color=OURS_COLOUR)
    return figure


def _by_group(report: Report, kind: str, heading: str) -> "Figure | None":
    modes = [mode for mode in report.modes if mode.users and mode.mode != NEW_USERS and kind in mode.group_sizes]
    new = [mode for mode in report.modes if mode.users and mode.mode == NEW_USERS and kind in mode.group_sizes]
    if not modes:
        return None
    figure, axes = _figure(len(modes), width=5.2 * len(modes), height=3.7, share=False)
    names = _best_of_each(modes)[:COMPARED]
    for axis, mode in zip(axes, modes, strict=True):
        parts = [mode, *(new if mode.mode == ALL else [])]
        _groups_of(axis, parts, kind, names)
        axis.set_title(f"{mode.mode}: {TITLES[mode.mode]}", loc="left")
        axis.set_xlabel(heading)
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("NDCG@10 with 95 % interval")
    _legend(figure, axes[0])
    return figure


def _groups_of(axis: "Axes", parts: list[ModeResult], kind: str, names: list[str]) -> None:
    groups = [(part, group) for part in parts for group, size in part.group_sizes[kind].items() if size]
    for number, name in enumerate(names):
        places, values = [], []
        for place, (part, group) in enumerate(groups):
            same = [one for one in part.methods if one.name == name]
            if same:
                places.append(place + (number - (len(names) - 1) / 2) * 0.14)
                values.append(same[0].groups[kind][group])
        _points(axis, places, values, _colour(number), name)
    labels = [f"{group}\n{part.group_sizes[kind][group]:,}" for part, group in groups]
    long = max((len(group) for _, group in groups), default=0) > 9 or len(groups) > 6
    axis.set_xlim(-0.6, max(len(groups), 2) - 0.4)
    axis.set_xticks(range(len(groups)), labels, rotation=40 if long else 0, ha="right" if long else "center")


def _coverage(report: Report) -> "Figure | None":
    modes = [mode for mode in report.modes if mode.users and mode.mode != NEW_USERS]
    if not modes:
        return None
    figure, axes = _figure(len(modes), width=5.2 * len(modes), height=4.0, share=False)
    names = _best_of_each(modes)
    for axis, mode in zip(axes, modes, strict=True):
        for one in sorted(mode.methods, key=lambda one: names.index(one.name)):
            ours = one.name == OURS
            axis.scatter(
                max(one.coverage, 1e-6), one.metrics[NDCG].mean, s=90 if ours else 46, marker="D" if ours else "o",
                color=_colour(names.index(one.name)), label=one.name, zorder=3,
            )  # fmt: skip
        axis.set_xscale("log")
        axis.set_xlabel("share of all items in anybody's first ten")
        axis.set_title(f"{mode.mode}: {TITLES[mode.mode]}", loc="left")
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("NDCG@10")
    _legend(figure, axes[0])
    return figure


def _ranked(mode: ModeResult) -> list[MethodResult]:
    return sorted(mode.methods, key=lambda one: -one.metrics[NDCG].mean)


def _best_of_each(modes: list[ModeResult]) -> list[str]:
    """All methods, ours first and then the best of each mode in turn: a method has one colour on all axes."""
    ranked = [[one.name for one in _ranked(mode) if one.name != OURS] for mode in modes]
    in_turn = [name for places in zip_longest(*ranked) for name in places if name is not None]
    return list(dict.fromkeys([OURS, *in_turn]))


def _bar(axis: "Axes", place: float, value: Estimate, colour: str) -> None:
    axis.barh(place, value.mean, height=0.66, color=colour, zorder=2)
    axis.plot([value.low, value.high], [place, place], color=INK, lw=1.2, zorder=3)


def _points(axis: "Axes", places: list[float], values: list[Estimate], colour: str, name: str) -> None:
    means = [value.mean for value in values]
    below = [value.mean - value.low for value in values]
    above = [value.high - value.mean for value in values]
    axis.errorbar(places, means, [below, above], fmt="o", ms=5, lw=1.4, capsize=2.5, color=colour, label=name, zorder=3)


def _colour(number: int) -> str:
    return OURS_COLOUR if number == 0 else PEER_COLOURS[(number - 1) % len(PEER_COLOURS)]


def _figure(count: int, *, width: float, height: float, share: bool) -> "tuple[Figure, list[Axes]]":
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, count, figsize=(width, height), sharey=share, squeeze=False, layout="constrained")
    return figure, list(axes[0])


def _legend(figure: "Figure", axis: "Axes") -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 5), frameon=False, fontsize=8)


def _save(figure: "Figure | None", path: Path) -> Path | None:
    import matplotlib.pyplot as plt

    if figure is None:
        return None
    figure.savefig(path, dpi=DOTS_PER_INCH)
    plt.close(figure)
    return path


def _style() -> Any:
    return {
        "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.color": "#e6eaec", "axes.edgecolor": QUIET, "axes.labelcolor": INK,
        "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.axisbelow": True,
    }  # fmt: skip
