"""The times at which the nightly run is due, by the host's schedule."""

from datetime import datetime

from functions.http.answers import Timetable
from schedules import Schedule


def timetable(schedule: Schedule, now: datetime, *, disabled: bool) -> Timetable:
    """Return the due times before and after ``now``; neither if the host does not fire the timer."""
    if disabled:
        return Timetable(schedule.expression, None, None, disabled=True)
    return Timetable(schedule.expression, schedule.before(now), schedule.after(now), disabled=False)
