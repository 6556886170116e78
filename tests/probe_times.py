"""Times of a device that listened from before the first packet of a probe run until after the last."""

TIMES = {"listening": 1.0, "began": 2.0, "ended": 3.0, "closed": 4.0}
