#!/usr/bin/env bash
# Guess: scipy.signal.find_peaks finds the largest value of a spectrum.
# What happens: a peak has two neighbours, so the first and the last value are never one. In the rfft of
#   a table over the remainders modulo 113 the frequency 56 is last: its peak is missed whatever its
#   height is. Where the constant is cut off first, frequency 1 is missed too. Smaller peaks are found.
# Whom it hurts: whoever looks for the key frequencies of an embedding: a seed that uses (p - 1) / 2 seems
#   to have one frequency less. A 0 in place of the constant and a 0 after the last value give all peaks.
source "$(dirname "$0")/common.bash"
packages scipy==1.17.1 numpy==2.4.6

python - <<'PYTHON'
import numpy as np
from scipy.signal import find_peaks

p = 113
numbers = np.arange(p)
for key in (1, 30, 56):
    signal = np.cos(2 * np.pi * key * numbers / p) + 0.3 * np.cos(2 * np.pi * 20 * numbers / p)
    power = np.abs(np.fft.rfft(signal)) ** 2
    least = power.max() / 100
    whole = find_peaks(power, height=least)[0].tolist()
    cut = (find_peaks(power[1:], height=least)[0] + 1).tolist()
    padded = (find_peaks(np.concatenate([[0], power[1:], [0]]), height=least)[0]).tolist()
    print(f"frequencies {key} (power 1) and 20 (0.09): largest at {power.argmax()}, find_peaks {whole}, "
          f"without the constant {cut}, with zeros at both ends {padded}")
    assert power.argmax() == key
    assert (key in whole) == (key != 56)
    assert (key in cut) == (key == 30)
    assert 20 in whole and 20 in cut
    assert padded == sorted([key, 20])
PYTHON
