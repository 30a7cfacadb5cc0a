"""Synthetic scenes with exact masks and boxes: what the demo is trained on and what the tests look at.

    python -m tests.scenes OUT --images 500 --size 96 --random-seed 0    a folder per class
    python -m tests.scenes OUT --images 500 --mixed                      one to three classes an image
    python -m tests.scenes assets --demo                                 the dozen pictures of the demo

A class is a shape and a texture; its colours are drawn at random. `files` says what is written where.
"""

from tests.scenes.backgrounds import BACKGROUNDS
from tests.scenes.composition import Scene, make_scene
from tests.scenes.files import write_demo, write_scenes
from tests.scenes.sprites import CLASSES

__all__ = ["BACKGROUNDS", "CLASSES", "Scene", "make_scene", "write_demo", "write_scenes"]
