"""Links and forms work where no script runs."""

import re

from playwright.sync_api import expect

from conftest import NAME, PASSWORD, set_up


def test_every_page_is_whole_without_script(pages, server, context):
    page = context(script=False).new_page()
    for path in pages:
        answer = page.goto(server.url(path))
        assert answer.status == 200, path
        assert len(page.locator("main").inner_text().split()) > 5, f"{path} is empty"
        # What only a script can do is not offered.
        assert page.locator("[data-copy]:visible, [data-dismiss]:visible").count() == 0, path


def test_setting_up_and_signing_in_need_no_script(start_server, browser):
    server = start_server()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    set_up(page, server)
    context.clear_cookies()
    page.goto(server.url("/console/keys"))
    assert "/console/sign-in" in page.url
    page.locator("input[name=name]").fill(NAME)
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("form button").first.click()
    page.wait_for_url(re.compile(r"/console/keys$"))
    context.close()


def test_signing_out_is_a_form(start_server, browser):
    server = start_server()
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    set_up(page, server)
    page.goto(server.url("/console/nowhere"))
    page.locator(".user-menu > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile(r"/console/sign-in"))
    page.goto(server.url("/console"))
    assert "/console/sign-in" in page.url
    context.close()


def test_links_of_the_navigation_lead_somewhere(server, context):
    page = context(script=False).new_page()
    page.goto(server.url("/console/nowhere"))
    links = page.locator("nav a[href^='/console']")
    expect(links.first).to_be_visible()
    paths = {links.nth(n).get_attribute("href") for n in range(links.count())}
    assert {"/console", "/console/keys", "/console/log"} <= paths, paths
