"""The images that are part of the page."""

import pathlib

FOLDER = pathlib.Path(__file__).with_name("photos")
MAN_IN_HAT = str(FOLDER / "man_in_hat.jpg")
ASTRONAUT = str(FOLDER / "astronaut.jpg")
PHOTOS = {"a man with a hat": MAN_IN_HAT, "an astronaut": ASTRONAUT}
SHAPE = str(FOLDER / "shape.png")
