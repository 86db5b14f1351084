"""The agent: joins a farm, renders the frames it is lent with Blender, and hands them back."""
