"""axe-core finds nothing serious on any page, wide and narrow, light and dark."""

import pytest
from axe_core_python.sync_playwright import Axe

# What counts; `minor` and `moderate` are advice.
COUNTS = ("serious", "critical")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def violations(page) -> list:
    found = Axe().run(page, options=RULES)["violations"]
    return [
        f"{v['id']} ({v['impact']}): {v['help']}: {[n['target'] for n in v['nodes'][:3]]}"
        for v in found
        if v["impact"] in COUNTS
    ]


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_can_be_used_by_everybody(pages, server, context, narrow, dark):
    # axe comes as a script that the content policy would keep out.
    page = context(narrow=narrow, dark=dark, bypass_csp=True).new_page()
    wrong = {}
    for path in pages:
        page.goto(server.url(path))
        found = violations(page)
        if found:
            wrong[path] = found
    assert not wrong, wrong


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_so_can_the_way_in(start_server, browser, dark):
    server = start_server()
    context = browser.new_context(bypass_csp=True, color_scheme="dark" if dark else "light")
    page = context.new_page()
    for path in ("/console/setup", "/console/sign-in"):
        page.goto(server.url(path))
        assert not violations(page), path
    context.close()


def test_axe_would_find_something(server, context):
    page = context(bypass_csp=True).new_page()
    page.goto(server.url("/console/design"))
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input><img src=\"x\">')")
    found = violations(page)
    assert any(v.startswith("label") for v in found) and any(v.startswith("image-alt") for v in found), found
