"""Noise on texts: deterministic, mild, and none where none is asked for."""

import numpy as np

from handoff.config import TrainingConfig
from neural.text.noise import Noise, add_noise

TEXTS = ["Where is my parcel, please?", "I want my money back", "ok"]


def noisy(noise: Noise, seed: int = 0, texts: list[str] = TEXTS) -> list[str]:
    return add_noise(texts, noise, np.random.default_rng(seed))


def test_no_noise_changes_no_text_and_draws_no_number() -> None:
    rng = np.random.default_rng(0)
    assert add_noise(TEXTS, Noise(), rng) == TEXTS
    assert rng.random() == np.random.default_rng(0).random()


def test_the_same_seed_gives_the_same_noise_and_another_one_another() -> None:
    noise = Noise(typo=0.5, drop=0.3, swap=0.5, case=0.5)
    assert noisy(noise, 3) == noisy(noise, 3)
    assert noisy(noise, 3) != noisy(noise, 4)


def test_dropping_leaves_words_in_their_order_and_never_none() -> None:
    for seed in range(20):
        for before, after in zip(TEXTS, noisy(Noise(drop=0.9), seed), strict=True):
            rest = iter(before.split())
            assert after
            assert all(word in rest for word in after.split())


def test_swapping_changes_the_places_of_two_neighbours() -> None:
    before, after = ["a", "b", "c", "d"], noisy(Noise(swap=1.0), 1, ["a b c d"])[0].split()
    moved = [place for place in range(4) if before[place] != after[place]]
    assert len(moved) == 2
    assert moved[1] - moved[0] == 1
    assert sorted(after) == before


def test_a_typo_is_one_slip_of_the_finger() -> None:
    for seed in range(50):
        word = noisy(Noise(typo=1.0), seed, ["parcel"])[0]
        assert abs(len(word) - 6) <= 1
        assert len(set("parcel") - set(word)) <= 1
    assert noisy(Noise(typo=1.0), 0, ["ok"]) == ["ok"]


def test_case_and_punctuation_keep_the_letters() -> None:
    for seed in range(20):
        after = noisy(Noise(case=1.0), seed)
        assert ["".join(filter(str.isalnum, text)).lower() for text in after] == [
            "".join(filter(str.isalnum, text)).lower() for text in TEXTS
        ]


def test_the_settings_of_augmentation_are_read_for_texts() -> None:
    config = TrainingConfig(
        "a", "text_label", "d", 7, augment_mask=0.1, augment_drop=0.2, augment_reorder=0.3, augment_crop=0.4
    )
    assert Noise.of(config) == Noise(typo=0.1, drop=0.2, swap=0.3, case=0.4)
