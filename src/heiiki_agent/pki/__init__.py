"""A device's key, certificate and revocation lists: made and kept here, replaced whole or not at all.

    credentials request     make a key and a CSR in a new generation; prints {"generation", "csr"}
    credentials reach       read {"url", "wait_s", "others"} on standard input, wait until a server answers
    credentials install     read an order on standard input, have the CSR signed by Vault, install
    credentials anchors     read {"anchors", "server_anchors"} on standard input, install them
    credentials load        have what uses them load what is there, unless it has
    credentials reload      have what uses them load what is there
    credentials status      print what is there, and what is wrong with it
    credentials summary     print what is there, key and chain unexamined
    credentials pull        fetch the CRLs now; prints what changed
    credentials mirrors     print what each mirror of the CRLs has, and what of it would be refused here
    credentials watch       pull at intervals (SIGHUP pulls at once)
    credentials check       exit status 0 if a watch runs and has reported in time

The configuration, /etc/heiiki/credentials.json unless `--config FILE` comes first, holds the names of the
device and where its CRLs are; an order holds the wrapped token and what is to be signed where (`Order`).

In /etc/heiiki/pki: `roots.pem` (trust anchors), `server.pem` (more anchors, for the TLS of Vault alone),
`issuers.pem` (other CAs below the anchors), `crl.pem`, and `current -> generations/N/` with `key.pem`,
`certificate.pem` and `chain.pem`. A generation is complete, checked and on the disk before `current` points
to it, so a run that is killed leaves the old one or the new one; what was cut off is cleared away by the next
`request`. The one before `current` is kept.

The key is written with mode 0600; the token comes on standard input and goes to Vault only. `loaded`
remembers what the users have been told of, so that a run which was cut off before it told them is completed
by the next.
"""
