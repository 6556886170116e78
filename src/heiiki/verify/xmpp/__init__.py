"""The XMPP server as it runs: whom it lets in, and whom it lets reach whom."""
