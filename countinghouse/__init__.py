"""How countinghouse is run: the command line, the settings, the local stack.

The only package that wires the parts together; everything else receives its stores, providers
and clock as arguments.
"""

__version__ = "0.1.0"
