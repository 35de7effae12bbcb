"""Every page in a real Chromium: nothing is blocked, nothing runs out of the page, what is clicked happens."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from web.world import ALEX, SAM, serving

from langgraph_learning import LearningMachine
from langgraph_learning.web import create_app

api = pytest.importorskip("playwright.sync_api", reason="needs playwright, and a Chromium of the system")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
World = tuple[LearningMachine, Any]
TABS = (
    "Memories",
    "What is told",
    "Timeline",
    "Entities",
    "Conversations",
    "Review",
    "Turns",
    "Figures",
    "Tidy up",
    "Forget",
)


@pytest.fixture
def address(world: World) -> Iterator[str]:
    with serving(create_app(*world, authenticate=None)) as at:
        yield at


@pytest.fixture
def page(address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that fails its test for whatever the browser complains about."""
    if CHROMIUM is None:
        reason = "there is no Chromium: install the package of that name"
        pytest.fail(f"CI must look at the pages; {reason}") if os.environ.get("CI") else pytest.skip(reason)
    wide, scheme = getattr(request, "param", (1180, "light"))
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = chromium.new_context(
            base_url=address, viewport={"width": wide, "height": 800}, color_scheme=scheme
        ).new_page()
        complaints: list[str] = []
        shown.on("console", lambda message: complaints.append(message.text))
        shown.on("dialog", lambda dialog: complaints.append(f"a script ran: {dialog.message}"))
        yield shown
        chromium.close()
        assert complaints == []


@pytest.mark.parametrize("page", [(1180, "light"), (390, "dark")], indirect=True)
def test_every_page_is_reached_by_clicking_and_fits_its_screen(page: Any) -> None:
    page.goto("/")
    page.click(f"text={ALEX}")
    for tab in TABS:
        page.click(f"nav.tabs >> text={tab}")
        assert page.get_attribute(f"nav.tabs >> text={tab}", "aria-current") == "page"
        place = page.locator(f"nav.tabs >> text={tab}").bounding_box()
        assert place["x"] + place["width"] <= page.viewport_size["width"], f"{tab} is cut off"
        fits = "nav => nav.scrollWidth <= nav.clientWidth"
        assert page.locator("nav.tabs").evaluate(fits), "a tab has to be scrolled to"
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    page.goto("/")
    page.click("text=global")
    assert page.locator("img[alt*='Maria Chen']").count() == 1


def test_a_memory_that_is_a_script_does_not_run_in_a_browser(page: Any) -> None:
    page.goto("/")
    page.click(f"text={SAM}")
    assert page.locator("text=<script>alert('x')</script>").count() == 1
    page.click("nav.tabs >> text=Timeline")
    assert page.locator("img").count() == 0


def test_a_person_edits_takes_back_decides_and_forgets_by_clicking(page: Any) -> None:
    page.goto(f"/user?user={ALEX}")
    page.click("text=Prefers short answers")
    page.click("text=Update memory")
    page.fill("textarea[name=content]", "Prefers long answers")
    page.click("button:has-text('Update memory')")
    assert page.locator("text=Prefers long answers").count() == 1
    page.click("nav.tabs >> text=Timeline")
    page.click("button:has-text('Undo') >> nth=0")
    page.click("nav.tabs >> text=Memories")
    assert page.locator("text=Prefers short answers").count() == 1
    page.click("nav.tabs >> text=Review")
    page.click("summary:has-text('Edit') >> nth=0")
    page.fill("textarea[name=content] >> nth=0", "Works from Porto on Fridays")
    page.click("button:has-text('Approve as edited') >> nth=0")
    page.click("button:has-text('Reject')")
    assert page.locator("text=Nothing waits").count() == 1
    page.click("nav.tabs >> text=What is told")
    page.fill("input[name=q]", "Where do I work on Fridays?")
    page.click("button:has-text('Ask')")
    assert page.locator("pre", has_text="Works from Porto on Fridays").count() == 1
    page.click("nav.tabs >> text=Forget")
    page.fill("input[name=typed]", ALEX)
    page.click("button:has-text('Erase for good')")
    page.goto(f"/user?user={ALEX}")
    assert page.locator("text=Prefers").count() == 0
