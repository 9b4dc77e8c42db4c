"""esch: arrays in, vector graphics out.

Small squares or circles whose size is the value, in small multiples, with time if need be:

    from miiii import esch

    esch.draw("n h w", activations, panel_labels=names).save("neurons.svg")

Knows nothing of what it draws. Needs NumPy, and matplotlib for the widths of letters and
for PDF and PNG; loads matplotlib only when it draws.
"""

from miiii.esch.composition import draw as draw
from miiii.esch.drawing import Drawing as Drawing
from miiii.esch.stacking import stack as stack
from miiii.esch.style import DARK as DARK
from miiii.esch.style import LIGHT as LIGHT
from miiii.esch.style import Style as Style
from miiii.esch.style import matplotlib_style as matplotlib_style
