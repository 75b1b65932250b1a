"""When the nightly run is due, by the schedule that the host keeps."""

from datetime import datetime

from croniter import CroniterError, croniter

from functions.answers import Timetable


def timetable(schedule: str, now: datetime) -> Timetable:
    """Give the times next to ``now``, ``None`` where there are none, or the schedule is of a kind not known here.

    The host's NCRONTAB wants the day of the month and that of the week to fit both, where Unix takes either.
    """
    try:
        times = croniter(schedule, now, second_at_beginning=True, day_or=False)
        previous: datetime = times.get_prev(datetime, update_current=False)
        following: datetime = times.get_next(datetime, update_current=False)
    except CroniterError:
        return Timetable(schedule, None, None)
    return Timetable(schedule, previous, following)
