"""Blender as the agent uses it: finding one, starting one, and keeping a scene open in it."""
