"""What runs inside Blender's own Python, loaded by ``host.py``: the standard library and ``bpy``, nothing else."""
