"""`metasweep report` in headless Chromium: no errors, no network, the slider, clicks, sorting, the keyboard, the dark, escaping."""

import json
import os

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from harness import REPOSITORY, metasweep

os.environ["SE_OFFLINE"] = "true"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    profile = tmp_path_factory.mktemp("profile")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1300,1600", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    metasweep("run", REPOSITORY / "sweeps/quickstart.toml", "--set", "replicas=40", "--out", folder / "out")
    metasweep("report", folder / "out", "--out", folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def page(browser, report):
    return opened(browser, report)


def opened(browser, path):
    browser.get_log("browser"), browser.get_log("performance")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]})
    browser.set_window_size(1300, 1600)
    browser.get(path.as_uri())
    return browser


def complaints(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def option(page, chart):
    return page.execute_script(f"return echarts.getInstanceByDom(document.getElementById('{chart}')).getOption()")


def picture(page, chart):
    return page.execute_script(f"return echarts.getInstanceByDom(document.getElementById('{chart}')).getDataURL()")


def chosen_cell(page):
    return Select(page.find_element(By.ID, "cell")).first_selected_option.text


def click_heat_map(page, x, y):
    """A click in the middle of a tile, counted in sample times and cells."""
    at = page.execute_script(
        "const chart = echarts.getInstanceByDom(document.getElementById('phase')); return chart.convertToPixel({seriesIndex: 0}, [arguments[0], arguments[1]]);", x, y
    )
    element = page.find_element(By.ID, "phase")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    size = element.size
    ActionChains(page).move_to_element_with_offset(element, round(at[0] - size["width"] / 2), round(at[1] - size["height"] / 2)).click().perform()


def test_it_opens_without_errors_and_without_network(page, report):
    assert report.stat().st_size < 10_000_000
    assert page.title == "quickstart – metasweep"
    assert not complaints(page)
    requests = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    urls = [message["params"]["request"]["url"] for message in requests if message["method"] == "Network.requestWillBeSent"]
    assert urls and all(url.startswith(("file://", "data:", "blob:")) for url in urls), urls
    for chart in ("phase", "slice", "curves", "survival"):
        assert option(page, chart)["series"][0]["data"], chart
        blank = page.execute_script(
            f"const canvas = document.querySelector('#{chart} canvas'); const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;"
            "return new Set(new Uint32Array(data.buffer)).size"
        )
        assert blank > 10, f"{chart} is empty"


def test_the_numbers_are_the_datasets(page, report):
    """The slice at the end against the table of the dataset."""
    import polars as pl

    slider = page.find_element(By.ID, "time")
    slider.send_keys(Keys.END)
    Select(page.find_element(By.ID, "observable")).select_by_visible_text("clusters")
    slider = page.find_element(By.ID, "time")
    slider.send_keys(Keys.END)
    shown = option(page, "slice")["series"][0]["data"]
    series = pl.read_parquet(f"{report.parent}/out/series/**/*.parquet").filter(pl.col("d") == 2, pl.col("t") == 30.0).sort("beta")
    assert [point[0] for point in shown] == series["beta"].to_list()
    assert [point[1] for point in shown] == pytest.approx(series["clusters_mean"].to_list(), rel=1e-3)


def test_the_slider_moves_the_picture(page):
    before, slice_before = picture(page, "phase"), option(page, "slice")["series"][0]["data"]
    slider = page.find_element(By.ID, "time")
    for _ in range(9):
        slider.send_keys(Keys.ARROW_RIGHT)
    assert page.find_element(By.ID, "time-text").text != "15"
    assert option(page, "slice")["series"][0]["data"] != slice_before
    assert picture(page, "phase") != before, "the line in the heat map stands still"
    assert not complaints(page)


def test_a_click_on_a_cell_shows_its_curves(page):
    before = picture(page, "curves")
    click_heat_map(page, 20, 6)
    assert chosen_cell(page) == "d = 2, β = 7"
    assert picture(page, "curves") != before
    row = page.find_elements(By.CSS_SELECTOR, "#summary tbody tr")[11]
    row.click()
    assert chosen_cell(page) == "d = 8, β = 3"
    assert "chosen" in row.get_attribute("class")
    row.send_keys(Keys.TAB)
    page.switch_to.active_element.send_keys(Keys.ENTER)
    assert chosen_cell(page) == "d = 8, β = 4"
    assert not complaints(page)


def test_panels_and_observables(page):
    before = picture(page, "phase")
    Select(page.find_element(By.ID, "group")).select_by_visible_text("d = 8")
    second = picture(page, "phase")
    assert second != before
    Select(page.find_element(By.ID, "observable")).select_by_visible_text("energy")
    assert picture(page, "phase") != second


def test_the_summary_is_sorted_by_a_click_and_by_the_keyboard(page):
    def column(index):
        return [float(row.find_elements(By.TAG_NAME, "td")[index].text) for row in page.find_elements(By.CSS_SELECTOR, "#summary tbody tr")]

    button = next(one for one in page.find_elements(By.CSS_SELECTOR, "#summary th button") if one.text == "collapsed")
    place = [one.text for one in page.find_elements(By.CSS_SELECTOR, "#summary th button")].index("collapsed")
    assert column(place) != sorted(column(place))
    button.click()
    assert column(place) == sorted(column(place))
    button.send_keys(Keys.ENTER)
    assert column(place) == sorted(column(place), reverse=True)


def test_in_the_dark_everything_still_works(page):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    background = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert sum(int(number) for number in background[4:-1].split(",")) < 200, background
    click_heat_map(page, 20, 6)
    assert chosen_cell(page) == "d = 2, β = 7", "the click was lost with the light charts"
    assert not complaints(page)


def test_in_a_narrow_window_nothing_sticks_out(page):
    page.set_window_size(520, 900)
    width = page.execute_script("return document.documentElement.clientWidth")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    for chart in ("phase", "curves"):
        assert page.find_element(By.ID, chart).size["width"] <= width


def test_it_can_be_printed(page):
    printed = page.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    assert len(printed["data"]) > 40_000


NASTY = ['</script><script>document.title="owned"</script>', '<img src=x onerror="document.title=1">', "]]>'\"&amp;"]


def test_every_text_of_a_sweep_file_is_escaped(browser, tmp_path):
    """Comments and texts that try to become part of the page."""
    npy = tmp_path / "v <img src=x onerror=alert(1)>.npy"
    import numpy as np

    np.save(npy, np.eye(2))
    sweep = tmp_path / "x.toml"
    remarks = "\n".join(f"# {text}" for text in NASTY)
    sweep.write_text(
        f"{remarks}\nname = \"x\"\nseed = 1\nreplicas = 2\n[[grid]]\nn = 4\nd = 2\nbeta = [1, 2]\nvalue = ['file({npy})', 'identity']\n"
        '[time]\nhorizon = 1.0\nstep = 0.1\nintegrator = "rk4"\nsample = { count = 3 }\n[observe]\nseries = ["energy"]\n'
    )
    metasweep("run", sweep, "--out", tmp_path / "out")
    # And somebody else's journal.
    record = next((tmp_path / "out/journal").glob("*-provenance.json"))
    provenance = json.loads(record.read_text())
    provenance["program"] = NASTY[0]
    record.write_text(json.dumps(provenance))
    metasweep("report", tmp_path / "out", "--out", tmp_path / "x.html")
    page = opened(browser, tmp_path / "x.html")
    assert page.title == "x – metasweep"
    assert not complaints(page)
    assert not page.find_elements(By.TAG_NAME, "img")
    assert NASTY[0] in page.find_element(By.ID, "runs").text
    assert "onerror" not in page.page_source.split("<script")[0], "matrices from files are named by what they hold"


def test_a_sweep_of_single_replicas_and_without_series(browser, tmp_path):
    metasweep("run", REPOSITORY / "tests/python/sweeps/every-observable.toml", "--out", tmp_path / "out")
    metasweep("report", tmp_path / "out", "--out", tmp_path / "a.html")
    page = opened(browser, tmp_path / "a.html")
    assert option(page, "phase")["series"][0]["data"] and not complaints(page)
    metasweep("run", REPOSITORY / "sweeps/quickstart.toml", "--set", "replicas=2", "--set", "observe.series=[]", "--out", tmp_path / "none")
    metasweep("report", tmp_path / "none", "--out", tmp_path / "b.html")
    page = opened(browser, tmp_path / "b.html")
    assert not page.find_element(By.ID, "phase-section").is_displayed() and not complaints(page)


def test_failed_replicas_have_the_command_that_replays_them(browser, tmp_path):
    sweep = tmp_path / "bad.toml"
    sweep.write_text(
        'name = "bad"\nseed = 1\nreplicas = 4\n[[grid]]\nn = 4\nd = 2\nbeta = 300\nnormalization = "unnormalized"\n'
        '[time]\nhorizon = 20\nintegrator = "rk4"\nstep = 1\nsample = { count = 3 }\n'
    )
    metasweep("run", sweep, "--out", tmp_path / "out")
    metasweep("report", tmp_path / "out", "--out", tmp_path / "x.html")
    page = opened(browser, tmp_path / "x.html")
    lines = [row.text for row in page.find_elements(By.CSS_SELECTOR, "#failed tbody tr")]
    assert lines and all("metasweep replay" in line and "not finite" in line for line in lines)
    assert not complaints(page)
