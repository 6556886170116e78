"""Changes on devices without Ansible: the programs that its modules run there, sent by a transport.

The modules' own code does the work, so that a device is changed in one way by every caller.
"""

from heiiki.deploy.build import apply_program, held_program, whole
from heiiki.deploy.program import program

__all__ = ["apply_program", "held_program", "program", "whole"]
