"""A real browser opens every page, and finds nothing to complain about."""

import pytest
from execute_pages import page_names
from playwright.sync_api import ConsoleMessage

SIZES = {"laptop": (1366, 768), "phone": (390, 844)}
FIRST_VISIT = "Got invalid theme mode"  # the theme's way of saying that nothing was chosen yet
SET = "typeof MathJax === 'undefined' || !MathJax.startup || MathJax.startup.promise"

pytestmark = pytest.mark.xdist_group("browser")  # one browser for all pages


@pytest.mark.parametrize("name", page_names())
def test_page_opens_without_a_complaint(name, browser, pages):
    complaints: list[str] = []
    said: list[ConsoleMessage] = []
    page = browser.new_page(viewport=dict(zip(("width", "height"), SIZES["laptop"], strict=True)))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"not found: {request.url}"))
    page.on("console", lambda message: said.append(message) if message.type == "error" else None)
    try:
        page.goto(pages[name].as_uri())
        page.evaluate(f"async () => {{ await ({SET}); }}")
        if page.query_selector(".math"):
            assert page.query_selector("mjx-container"), "the equations were not set"
            assert not page.query_selector("mjx-merror"), "an equation has a mistake"
        complaints += [m.text for m in said if not m.text.startswith(FIRST_VISIT)]
        assert complaints == []
        # Pages of the library hold long names and signatures; nobody reads them on a phone.
        sizes = {d: s for d, s in SIZES.items() if d == "laptop" or "/api/" not in name}
        for device, (width, height) in sizes.items():
            page.set_viewport_size({"width": width, "height": height})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width + 1, f"on a {device} the page scrolls sideways: {wide} pixels"
    finally:
        page.close()


def test_a_page_that_breaks_is_noticed(browser, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text("<script>missing()</script>")
    with pytest.raises(AssertionError, match="missing is not defined"):
        test_page_opens_without_a_complaint("broken", browser, {"broken": broken})
