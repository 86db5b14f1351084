"""Blender's versions as numbers, so that databases compare them."""


def blender_number(major: int, minor: int) -> int:
    """Return a Blender version as one number that sorts: 4.2 is 402."""
    return major * 100 + minor


def blender_version(number: int) -> tuple[int, int]:
    """Return the major and minor version in a number of :func:`blender_number`."""
    return divmod(number, 100)
