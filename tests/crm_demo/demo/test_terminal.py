from io import StringIO

from crm_demo.demo.terminal import Board


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_over() -> None:
    out = Terminal()
    board = Board(out)
    board.show(["a", "b"])
    board.show(["c", "d"])
    assert out.getvalue() == "\x1b[2Ka\n\x1b[2Kb\n\x1b[2A\x1b[2Kc\n\x1b[2Kd\n"


def test_a_file_gets_a_line_now_and_then() -> None:
    out = StringIO()
    board = Board(out)
    board.show(["a"])
    board.show(["b"])
    assert out.getvalue() == "a\n"
