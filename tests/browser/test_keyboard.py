"""Everything with the keyboard alone."""

from playwright.sync_api import expect

from conftest import set_up

# A page with navigation and actions that is always there.
SOMEWHERE = "/console/nowhere"


def focused(page) -> str:
    return page.evaluate("document.activeElement.textContent.trim()")


def test_the_first_stop_skips_the_navigation(admin_page, server):
    admin_page.goto(server.url(SOMEWHERE))
    admin_page.keyboard.press("Tab")
    assert focused(admin_page) == "Skip to content"
    assert admin_page.locator(".skip").bounding_box()["y"] >= 0, "it can be seen while it has the focus"
    admin_page.keyboard.press("Enter")
    admin_page.keyboard.press("Tab")
    inside = admin_page.evaluate("document.querySelector('main').contains(document.activeElement)")
    assert inside, f"the next stop is in the page: {focused(admin_page)}"


def test_tab_reaches_navigation_and_actions_and_shows_where_it_is(admin_page, server):
    admin_page.goto(server.url(SOMEWHERE))
    stops, seen = [], set()
    for _ in range(80):
        admin_page.keyboard.press("Tab")
        here = admin_page.evaluate(
            """() => {
                const e = document.activeElement, s = getComputedStyle(e);
                const outlined = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none';
                return [e.tagName, e.textContent.trim().slice(0, 60), outlined];
            }"""
        )
        if here[0] == "BODY":
            break
        stops.append(here)
        seen.add(here[1])
    names = " | ".join(text for _, text, _ in stops)
    for wanted in ("Overview", "Keys", "Log", "To the overview"):
        assert any(wanted in text for text in seen), f"{wanted} is not among: {names}"
    unseen = [text for _, text, outlined in stops if not outlined]
    assert not unseen, f"nobody sees the focus on {unseen}"


def test_the_account_menu_opens_and_signs_out_by_keyboard(start_server, browser):
    server = start_server()
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    set_up(page, server)
    page.goto(server.url(SOMEWHERE))
    page.locator(".user-menu > summary").focus()
    page.keyboard.press("Enter")
    for _ in range(10):
        page.keyboard.press("Tab")
        if focused(page) == "Sign out":
            break
    assert focused(page) == "Sign out"
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/sign-in**")
    context.close()


def test_g_and_a_letter_go_to_a_page(admin_page, server):
    admin_page.goto(server.url(SOMEWHERE))
    admin_page.keyboard.press("g")
    admin_page.keyboard.press("k")
    admin_page.wait_for_url("**/console/keys")
    assert admin_page.url.endswith("/console/keys")


def test_a_question_mark_opens_the_help(admin_page, server):
    admin_page.goto(server.url(SOMEWHERE))
    admin_page.keyboard.press("?")
    help_ = admin_page.locator("dialog[open]")
    expect(help_).to_be_visible()
    expect(help_).to_contain_text("Keys")
    admin_page.keyboard.press("Escape")
    expect(admin_page.locator("dialog[open]")).to_have_count(0)


def test_letters_that_are_typed_into_a_field_go_nowhere(admin_page, server):
    admin_page.goto(server.url("/console/design"))
    field = admin_page.locator("main input[type=text]:visible, main input:not([type]):visible").first
    field.focus()
    before = admin_page.url
    admin_page.keyboard.type("gk?")
    assert admin_page.url == before and admin_page.locator("dialog[open]").count() == 0
    assert "gk?" in field.input_value()
