"""Views of a recall: the text that the model sees, and its receipt as bars."""

from collections.abc import Mapping, Sequence

from langgraph_learning.reports import Recall, Receipt, ShownRecord
from langgraph_learning.views.markup import Child, Html, data, grid, html, image, join, quiet, tag, with_style

WIDTH = 160
COLOURS = {
    "words": "#4c8fd6",
    "meaning": "#9b6dd6",
    "search": "#3a9d8f",
    "neighbours": "#d69b4c",
    "session": "#8fae3f",
    "votes": "#d65c7a",
}
OTHER = "#8a8f98"  # readable on light and dark backgrounds, like all colours here
LEGEND = {
    "words": "words in common",
    "meaning": "similar meaning",
    "search": "the store's own search",
    "votes": "votes of people",
    "neighbours": "the messages around it",
    "session": "its conversation",
}
HEAD = ("learning store", "record", "why", "score", "tokens")


def receipt_bars(receipt: Receipt, texts: Mapping[str, str] | None = None) -> Html:
    """Return the chosen records, with the parts of each score as bars.

    Args:
        receipt: The receipt of a recall.
        texts: The texts of records by id; a receipt holds none, because they may be forgotten.
    """
    return with_style(_bars(receipt, texts or {}))


@html.register
def _receipt(receipt: Receipt) -> Html:
    return receipt_bars(receipt)


@html.register
def _recall(recall: Recall) -> Html:
    texts = {record.id: record.text for record in recall.records}
    model_text = tag("details", tag("summary", "what the model is shown"), tag("pre", recall.text, dir="auto"), open="")
    return with_style(model_text if recall.text else quiet("nothing was recalled"), _bars(recall.receipt, texts))


def _bars(receipt: Receipt, texts: Mapping[str, str]) -> Html:
    lowest, highest = _range(receipt.shown)
    rows = [
        (
            quiet(entry.store),
            data(texts.get(entry.id, entry.label)),
            tag("span", entry.reason, dir="auto", class_="data why"),
            join([_bar(entry, lowest, highest), _score(entry)]),
            entry.tokens,
        )
        for entry in receipt.shown
    ]
    left = "; ".join(f"{count} of {store}" for store, count in receipt.left_out.items() if count)
    total = quiet(f"{receipt.tokens} tokens in all{f'; left out: {left}' if left else ''}")
    return join([grid(HEAD, rows) if rows else None, total, _legend(receipt.shown) if highest > lowest else None])


def _score(entry: ShownRecord) -> Html | None:
    """Return what the bar adds up to; what is shown with others has the score of the best of them beside its own."""
    own = sum(entry.parts.values()) if entry.parts else entry.score
    return quiet(f"{own:.2f}") if own else None


def _range(entries: Sequence[ShownRecord]) -> tuple[float, float]:
    """Return the lowest negative and the highest positive sum of parts, which set the range of the bars."""
    lows = [sum(part for part in record.parts.values() if part < 0) for record in entries]
    highs = [sum(part for part in record.parts.values() if part > 0) for record in entries]
    return min(lows, default=0.0), max(highs, default=0.0)


def _bar(entry: ShownRecord, lowest: float, highest: float) -> Html | None:
    """Return the bar of a record: parts that raise its score go to the right, those that lower it to the left."""
    if not entry.parts or highest == lowest:
        return None
    scale = WIDTH / (highest - lowest)
    zero = right = left = -lowest * scale
    rects = []
    for name, part in entry.parts.items():
        length = abs(part) * scale
        left, right, start = (left, right + length, right) if part > 0 else (left - length, right, left - length)
        colour = COLOURS.get(name, OTHER)
        rects.append(tag("rect", x=f"{start:.1f}", width=f"{length:.1f}", height=12, fill=colour))
    axis = tag("path", d=f"M{zero:.1f} 0V12", stroke=OTHER)
    size: dict[str, Child] = {"width": WIDTH, "height": 12, "viewBox": f"0 0 {WIDTH} 12"}
    svg = tag("svg", *rects, axis, xmlns="http://www.w3.org/2000/svg", **size)
    description = ", ".join(f"{LEGEND.get(name, name)}: {part:.2f}" for name, part in entry.parts.items())
    return image(svg, description, width=WIDTH, class_="bar")


def _legend(entries: Sequence[ShownRecord]) -> Html | None:
    names = dict.fromkeys(name for entry in entries for name, part in entry.parts.items() if part)
    squares = [join([_square(COLOURS.get(name, OTHER)), quiet(LEGEND.get(name, name))]) for name in names]
    against = (
        quiet("; to the left: less than the others")
        if any(min(record.parts.values(), default=0) < 0 for record in entries)
        else None
    )
    return tag("div", *squares, against) if squares else None


def _square(colour: str) -> Html:
    """Return a coloured square as an image: a page may forbid style attributes, an untrusted notebook drawings."""
    spot = tag("path", d="M0 0H9V9H0Z", fill=colour)
    box: dict[str, Child] = {"width": 9, "height": 9, "viewBox": "0 0 9 9"}
    return image(tag("svg", spot, xmlns="http://www.w3.org/2000/svg", **box), "", width=9, class_="square")
