"""Programs that change a device: sent there, run once. What only looks is in `heiiki.verify.probes`."""
