"""The last step of a submission in Blender's main thread: what is ready is handed to its thread."""

from . import state


def begin_sending() -> None:
    """Start the submission that is ready, or keep why there is none."""
    now = state.current()
    preparing = now.preparing
    if preparing is None or preparing.active:
        return
    now.checked = preparing.checked or now.checked
    now.trouble = preparing.error
    if preparing.error:
        # The artist may have begun it from the Render menu and not see the panel.
        now.tell(preparing.error, bad=True)
    if preparing.submission is not None and preparing.submission is not now.sending:
        now.sending = preparing.submission
        now.sending.start()
        # What was found has been told, and the scene will change: it is no news any more.
        now.checked = None
