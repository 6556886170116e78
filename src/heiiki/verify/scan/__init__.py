"""A port scan from sites: at the hub and at the carriers' first routers planned services alone answer."""
