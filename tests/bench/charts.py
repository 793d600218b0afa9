"""Bar charts of figures: a panel for each setting, a bar for each subject, whiskers from the lowest to the highest."""

import matplotlib
from figures import BARE

matplotlib.use("svg")
# The same figures make the same file; text stays text.
matplotlib.rcParams.update({"svg.hashsalt": "kea-hook-runscript", "svg.fonttype": "none", "font.size": 9,
                            "font.family": "sans-serif", "font.sans-serif": ["Arial", "DejaVu Sans", "sans-serif"]})
from matplotlib import pyplot  # noqa: E402

OURS, NONE, OTHERS = "#2a78b8", "#333333", "#9aa0a6"
COLUMNS = 2
# A linear axis shows no bar that is smaller than this part of the longest.
TOO_SMALL = 1 / 200


def draw(title, figures, path):
    """Writes the chart of a table: SVG, on white, for pages both light and dark."""
    settings = list(dict.fromkeys(figure.setting for figure in figures))
    panels = [[figure for figure in figures if figure.setting == setting] for setting in settings]
    columns = min(COLUMNS, len(panels))
    # Column by column: the families stand side by side.
    lines = -(-len(panels) // columns)
    heights = [max(len(panel) for panel in panels[line::lines]) + 2 for line in range(lines)]
    whole, axes = pyplot.subplots(lines, columns, figsize=(5.6 * columns, 0.27 * sum(heights) + 0.4), squeeze=False,
                                  sharex=True, height_ratios=heights, layout="constrained")
    for axis, panel in zip(axes.T.flat, panels):
        bars(axis, panel)
    for axis in list(axes.T.flat)[len(panels):]:
        axis.set_visible(False)
    middles = [figure.middle for figure in figures]
    if 0 < min(middles) < TOO_SMALL * max(middles):
        for axis in axes.flat:
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(plain)
        axes[0, 0].set_xlim(min(min(figure.values) for figure in figures) / 2, 3 * max(middles))
    else:
        axes[0, 0].set_xlim(0, 1.2 * max(max(figure.values) for figure in figures))
    whole.suptitle(f"{title} ({figures[0].unit})", fontweight="bold")
    whole.savefig(path, metadata={"Date": None}, facecolor="white")
    pyplot.close(whole)


def bars(axis, panel):
    middles = [figure.middle for figure in panel]
    reach = [[figure.middle - min(figure.values) for figure in panel], [max(figure.values) - figure.middle for figure in panel]]
    rows = range(len(panel))
    axis.barh(rows, middles, xerr=reach, color=[colour(figure.subject) for figure in panel], height=0.7,
              error_kw={"ecolor": "black", "elinewidth": 0.8, "capsize": 2})
    for row, figure in zip(rows, panel):
        text = f"{figure.middle:,.0f}" if figure.middle >= 100 else f"{figure.middle:.3g}"
        axis.annotate(text, (max(figure.values), row), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axis.set_yticks(rows, [figure.subject for figure in panel])
    axis.invert_yaxis()
    axis.set_title(panel[0].setting, fontsize=9, loc="right")
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelbottom=True)
    axis.xaxis.set_major_formatter(plain)
    axis.xaxis.grid(color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)


def plain(value, _):
    return f"{value:,g}"


def colour(subject):
    if subject == BARE:
        return NONE
    return OURS if subject.startswith(("exec", "daemon", "socket")) else OTHERS
