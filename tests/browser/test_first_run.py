"""The first minutes: from the code in the server's output to an account."""

import re

from playwright.sync_api import expect

from conftest import NAME, PASSWORD, fill_in, set_up


def test_the_code_in_the_output_makes_an_administrator_once(start_server, browser):
    server = start_server()
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url("/console"))
    assert page.url.endswith("/console/setup"), "there is nobody who could sign in"
    set_up(page, server)
    names = {cookie["name"]: cookie for cookie in context.cookies()}
    session = next(cookie for name, cookie in names.items() if "session" in name)
    assert session["httpOnly"] and session["sameSite"] in ("Strict", "Lax")
    context.close()

    # Closed for ever: another browser is sent to sign in, and can, with what was chosen.
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url("/console/setup"))
    assert "/console/sign-in" in page.url
    page.locator("input[name=name]").fill(NAME)
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("form button").first.click()
    page.wait_for_url(re.compile(r"/console(/|$|\?)(?!sign-in)"))
    assert "sign-in" not in page.url
    context.close()


def test_a_wrong_code_makes_nobody(start_server, browser):
    server = start_server()
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.url("/console/setup"))
    fill_in(page, "AAAA-AAAA-AAAA")
    expect(page.locator("body")).to_contain_text("this is not the setup code")
    assert page.locator("input[name=name]").input_value() == NAME, "what was typed is kept"
    assert page.locator("input[name=password]").input_value() == "", "but no password"
    page.goto(server.url("/console/setup"))
    assert page.url.endswith("/console/setup"), "the right code is still taken"
    context.close()


def test_a_wrong_password_is_refused_without_saying_what_is_wrong(server, context):
    page = context(signed_in=False).new_page()
    said = []
    for name in (NAME, "nobody@example.org"):
        page.goto(server.url("/console/sign-in"))
        page.locator("input[name=name]").fill(name)
        page.locator("input[type=password]").fill("not the password at all")
        page.locator("form button").first.click()
        expect(page.locator(".callout, [role=alert]").first).to_be_visible()
        said.append(page.locator(".callout, [role=alert]").first.inner_text())
    assert said[0] == said[1]
