"""The VTN: hands events out until they are acknowledged, and keeps opts and reports, each once."""
