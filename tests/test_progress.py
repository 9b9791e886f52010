"""Progress bars and informational lines."""

import io

from keras_mmfusion._progress import format_rate, inform, is_silent, progress_bars, silence, track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def use_terminal(monkeypatch):
    """Replaces stderr by a terminal; in the test itself, since pytest captures each phase anew."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("TTY_COMPATIBLE", raising=False)
    return terminal


def test_track_passes_on_the_items(capsys):
    assert list(track(iter("abc"), "Letters")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")  # Not a terminal.


def test_bars_on_a_terminal_show_count_rate_and_remaining_time(monkeypatch):
    terminal = use_terminal(monkeypatch)
    bars = progress_bars()
    task = bars.add_task("Captioning", total=4)
    with bars:
        bars.update(task, completed=2)
        cells = [column(bars.tasks[0]) for column in bars.columns]
    assert bars.disable is False
    assert str(cells[0]) == "Captioning"
    assert str(cells[2]).strip() == "2/4"
    assert len(cells) == 5
    assert "Captioning" in terminal.getvalue()


def test_silence_suppresses_bars_and_lines(monkeypatch):
    terminal = use_terminal(monkeypatch)
    inform("first")
    with silence():
        assert is_silent()
        inform("second")
        assert list(track("abc", "Letters")) == ["a", "b", "c"]
    assert not is_silent()
    assert terminal.getvalue() == "first\n"


def test_rates_below_one_are_seconds():
    assert format_rate(1234.5) == "1,234.5/s"
    assert format_rate(0.5) == "2.0 s each"
    assert format_rate(None) == format_rate(0) == ""
