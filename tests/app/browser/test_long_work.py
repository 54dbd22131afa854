"""Long work in the browser: it is shown, stopped, killed, and the page stays alive."""

from __future__ import annotations

import os
import re
import statistics
from pathlib import Path

import numpy as np
import pytest

from .clicks import build_model4, served

pytestmark = pytest.mark.slow


def test_run_is_quick(click, program):
    click.press("High School and Beyond")
    build_model4(click)
    taken = []
    for k in range(1, 8):
        begin = processor_time(program[0])
        click.button("Run").click()
        click.page.get_by_role("heading", name=f"Results: Model {k}", exact=True).wait_for()
        taken.append(processor_time(program[0]) - begin)
    assert click.page.get_by_text("46501.875643").count()
    assert statistics.median(taken) < 0.25


def processor_time(window: int) -> float:
    """Give the seconds of processor that the window and its worker have had, beside whatever else is done."""
    ticks = 0
    for process in (window, *children(window)):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_what_takes_minutes_is_waited_for(click):
    page, waiting = click.page, []
    click.press("High School and Beyond")
    page.clock.install()
    page.route("**/panel/data", lambda route: waiting.append(route))
    click.button("Data").click()
    page.clock.fast_forward(120_000)
    click.expect(page.locator("#busy")).to_have_class("on")
    assert page.get_by_role("alert").count() == 0
    waiting[0].continue_()
    click.expect(page.get_by_role("region", name="Data", exact=True)).to_contain_text("7,185")


def test_the_posterior_is_drawn_stopped_and_survives_a_kill(click, program):
    page = click.page
    click.press("High School and Beyond")
    click.menu("mathach", "Outcome variable")
    click.press("Posterior")
    panel = page.get_by_role("region", name="Posterior distribution")
    click.expect(panel).to_contain_text("half-t")
    panel.get_by_text("Choose the prior of each parameter").click()
    panel.get_by_label("Prior of g00 intercept").select_option(label="normal")
    panel.get_by_label("Mean, g00 intercept").fill("12")
    panel.get_by_label("Standard deviation, g00 intercept").fill("40")
    panel.get_by_label("Prior of standard deviation of u0").select_option(label="half-normal")
    click.expect(panel.locator("pre")).to_contain_text("normal, mean 12, sd 40")
    click.expect(panel.locator("pre")).to_contain_text("half-normal")
    click.press("Draw")
    panel.get_by_role("link", name="All draws (.nc)").wait_for(timeout=300_000)
    click.picture("posterior", 1400)
    assert re.search("12\\.6", panel.inner_text())
    click.press("Do the priors matter?")
    click.expect(panel).to_contain_text("What moves the draws")
    click.press("Draw again")
    panel.get_by_label("Draws of each chain").fill("90000")
    click.press("Draw")
    click.button("Stop").click()
    panel.get_by_text("Stopped after").wait_for()
    click.press("Draw again")
    panel.get_by_label("Draws of each chain").fill("90000")
    click.press("Draw")
    kill_children(program[0])
    panel.get_by_text("ended from outside").wait_for()
    assert click.run()["deviance"] == pytest.approx(47116.793477, abs=1e-5)
    click.tab("Tests")
    page.get_by_label("Parametric bootstrap, data sets").fill("40")
    click.press("Simulate")
    click.expect(page.locator("#bootstrap")).to_contain_text("g00 (intercept)", timeout=300_000)


def kill_children(window: int) -> None:
    """Kill the worker of this window, and of no other, as a computer without memory does."""
    for process in children(window):
        os.kill(process, 9)


def children(window: int) -> list[int]:
    """The processes that the window has started to work in."""
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = status.read_bytes().decode(errors="replace")
            parent = re.search(r"PPid:\s*(\d+)", (status.parent / "status").read_text())
        except OSError:
            continue  # it ended meanwhile
        ours = parent is not None and int(parent[1]) == window
        if ours and "spawn_main" in line and "resource_tracker" not in line:
            found.append(int(status.parent.name))
    return found


def slow_network(click, bytes_per_second):
    """Let what the page sends go slowly."""
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second}
    click.page.context.new_cdp_session(click.page).send("Network.emulateNetworkConditions", speed)


def test_sending_a_file_says_per_cent_and_is_stopped(click, tmp_path):
    page = click.page
    click.press("High School and Beyond")
    file = tmp_path / "many.csv"
    rows = "\n".join(f"{k // 10},{k % 7}" for k in range(100_000))
    file.write_text(f"id,y\n{rows}\n")
    slow_network(click, 40_000)
    page.locator("#files").set_input_files(str(file))
    page.get_by_text(re.compile(r"Sending many\.csv: [1-9]\d* %")).wait_for()
    page.locator("#main[inert]").wait_for(state="attached")  # no click that the answer would undo
    click.button("Stop").click()
    page.locator("#main:not([inert])").wait_for(state="attached")
    page.get_by_text("many.csv: sending was stopped").wait_for()
    click.expect(click.region("Level-1 variables")).to_contain_text("minority")
    slow_network(click, -1)
    page.locator("#files").set_input_files(str(file))
    page.get_by_text("100,000 rows in 10,000 units").wait_for()


def test_files_that_cannot_be_taken_are_said(click, tmp_path):
    page = click.page
    huge = tmp_path / "huge.sav"
    with huge.open("wb") as target:
        target.truncate(2_000_000_000)  # of 2 GB, which take no room
    page.locator("#files").set_input_files(str(huge))
    page.get_by_text("huge.sav is larger than 1 GB").wait_for()
    empty = tmp_path / "empty.csv"
    empty.touch()
    click.files(empty)
    page.get_by_text("empty.csv is empty: it has 0 bytes").wait_for()
    click.press("High School and Beyond")
    click.button("mathach").wait_for()


def test_a_long_estimation_is_stopped_and_killed(click, program, tmp_path):
    page = click.page
    file, names = tmp_path / "pv.csv", [f"pv{k}" for k in range(1, 901)]
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(100), 20)
    values = rng.normal(size=(2000, 1)) + rng.normal(size=(100, 1))[unit] + 0.1 * rng.normal(size=(2000, 900))
    lines = [",".join([str(j), *(f"{v:.3f}" for v in row)]) for j, row in zip(unit, values, strict=True)]
    file.write_text("\n".join([",".join(["id", *names]), *lines]))
    click.files(file)
    click.menu("pv1", "Outcome variable")
    click.settings({"Plausible values of the outcome": ", ".join(names)})
    click.press("Run")
    click.button("Stop the estimation").click()
    page.get_by_text("Stopped after").wait_for()
    click.press("Run")
    click.button("Stop the estimation").wait_for()
    click.press("Mixed model")  # the page is alive meanwhile
    click.region("Mixed model").wait_for()
    kill_children(program[0])
    page.get_by_text("ended from outside").wait_for()
    click.settings({"Plausible values of the outcome": "pv2, pv3"})
    assert len(click.run()["fixed"]) == 1


def test_ctrl_c_stops_it():
    process, _ = served()
    process.send_signal(2)
    process.communicate(timeout=60)
    assert process.returncode == 0
