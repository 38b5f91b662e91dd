"""The list of pages is the server's."""

import re
from pathlib import Path

from pages import NO_PAGE, OUTSIDE, PAGES

TABLE = Path(__file__).parents[2] / "crates" / "bastide-console" / "src" / "web" / "route.rs"


def test_every_route_that_a_get_opens_is_listed():
    routes = set(re.findall(r'= GET "([^"]+)"', TABLE.read_text()))
    assert len(routes) > 20
    listed = {re.sub(r"{[^}]*}", "{}", path.split("?")[0]) for path in PAGES + NO_PAGE + OUTSIDE}
    assert routes == listed


def test_every_page_that_is_to_be_there_is(server, admin_page):
    for path in (path.format(**server.things) for path in PAGES):
        answer = admin_page.goto(server.url(path))
        assert answer.status == 200, path


def test_pages_have_a_title_and_one_heading(pages, server, admin_page):
    for path in pages:
        admin_page.goto(server.url(path))
        assert "bastide" in admin_page.title().lower(), path
        assert admin_page.locator("h1").count() == 1, path


def test_nothing_is_wider_than_a_narrow_screen(pages, server, context):
    page = context(narrow=True).new_page()
    for path in pages:
        page.goto(server.url(path))
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} scrolls sideways by {wide} px"
