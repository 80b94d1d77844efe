import pytest

from crm_agents.exits import killed_by


@pytest.mark.parametrize(
    ("status", "number"),
    [
        (0, 0),
        (1, 0),
        (3, 0),
        (128, 0),
        (255, 0),  # a program's own -1
        (-9, 9),
        (137, 9),
        (247, 9),
        (-15, 15),
        (143, 15),
        (241, 15),
        (139, 11),
        (-1, 1),
    ],
)
def test_a_signal_is_known_however_it_is_passed_on(status: int, number: int) -> None:
    assert killed_by(status) == number
