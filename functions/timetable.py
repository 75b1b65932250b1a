"""When the nightly run is due, by the schedule that the host keeps."""

from datetime import datetime

from functions.answers import Timetable
from schedules import Schedule


def timetable(schedule: Schedule, now: datetime, *, disabled: bool) -> Timetable:
    """Return the times next to ``now``; no night is promised, or missed, where the host does not fire the timer."""
    if disabled:
        return Timetable(schedule.expression, None, None, disabled=True)
    return Timetable(schedule.expression, schedule.before(now), schedule.after(now), disabled=False)
