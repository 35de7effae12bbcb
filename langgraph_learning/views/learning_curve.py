"""Views of a learning curve: the results of the same tasks on more and more memory."""

from langgraph_learning.evals.curve import LearningCurve, LearningPoint
from langgraph_learning.views.markup import Child, Html, grid, html, image, tag, with_style

WIDTH, HEIGHT = 320, 120
COLOUR, AXIS = "#4c8fd6", "#8a8f98"  # readable on light and dark pages: an image cannot use the page's colours


def curve_picture(curve: LearningCurve) -> Html:
    """Return the results of the same tasks on more and more memory, as a line and as a table."""
    rows = [
        (f"{point.at:,}", f"{point.pass_rate:.0%}", f"{point.tokens:,}", point.model_calls) for point in curve.points
    ]
    table = grid(("after", "pass rate", "tokens", "model calls"), rows)
    return with_style(_picture(curve.points) if len(curve.points) > 1 else None, table)


@html.register
def _curve(curve: LearningCurve) -> Html:
    return curve_picture(curve)


def _picture(points: tuple[LearningPoint, ...]) -> Html:
    """Return the pass rate as a line, with equal steps between points: 10 is as far from 100 as 100 from 1,000."""
    step = WIDTH / (len(points) - 1)
    places = [(10 + number * step, 10 + HEIGHT * (1 - point.pass_rate)) for number, point in enumerate(points)]
    line = tag(
        "polyline",
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places),
        fill="none",
        stroke=COLOUR,
        stroke_width=2,
    )
    dots = [
        tag("circle", tag("title", _describe_point(point)), cx=f"{x:.1f}", cy=f"{y:.1f}", r=4, fill=COLOUR)
        for (x, y), point in zip(places, points, strict=True)
    ]
    axis = tag("path", d=f"M10 10V{HEIGHT + 10}H{WIDTH + 10}", stroke=AXIS, fill="none")
    size: dict[str, Child] = {"width": WIDTH + 20, "height": HEIGHT + 20, "viewBox": f"0 0 {WIDTH + 20} {HEIGHT + 20}"}
    svg = tag("svg", axis, line, *dots, xmlns="http://www.w3.org/2000/svg", **size)
    return image(svg, ", ".join(map(_describe_point, points)), width=WIDTH + 20)


def _describe_point(point: LearningPoint) -> str:
    return f"after {point.at:,}: {point.pass_rate:.0%}"
