"""What runs on a device: one zip application with a part for each task; needs Python 3.11."""
