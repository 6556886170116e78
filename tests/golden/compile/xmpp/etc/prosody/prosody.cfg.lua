-- XMPP between DRAS and devices (RFC 6120), and nothing else: no servers, no HTTP, no registration, no storage.
plugin_paths = { "/usr/local/lib/heiiki/prosody" }
-- Searched before all others; by default it is a folder of the daemon's own.
installer_plugin_path = "/usr/local/lib/heiiki/prosody"
pidfile = "/run/prosody/prosody.pid"
log = { info = "*console" }

modules_enabled = { "tls", "saslauth", "limits" }
modules_disabled = { "offline", "s2s", "s2s_auth_certs" }
default_storage = "none"
allow_registration = false

interfaces = { "10.15.0.5" }
c2s_ports = { 5222 }
c2s_direct_tls_ports = {}
s2s_ports = {}
http_ports = {}
https_ports = {}

-- A peer without a certificate of the service that no list revokes gets no TLS, and without TLS nothing else.
c2s_require_encryption = true
tls_profile = "intermediate"
c2s_ssl = {
    protocol = "tlsv1_2+",
    certificate = "/etc/heiiki/pki/xmpp/certificate.pem",
    key = "/etc/heiiki/pki/xmpp/key.pem",
    cafile = "/etc/heiiki/pki/xmpp/verify.pem",
    capath = false,
    verify = { "peer", "fail_if_no_peer_cert", "client_once" },
    verifyext = { "crl_check", "crl_check_chain" },
}

-- How much is taken of each client; one that sends more is read later. DRAS speaks to all at once.
limits = { c2s = { rate = "10kb/s", burst = "2s" } }
unlimited_jids = { "dras@lab.internal" }
c2s_stanza_size_limit = 65536
c2s_timeout = "20 seconds"
network_settings = { tcp_backlog = 1024, read_timeout = 60 }
conflict_resolve = "kick_old"

VirtualHost "lab.internal"
    authentication = "heiiki"
    heiiki_dras = "dras@lab.internal"
    heiiki_probe = "xmpp@lab.internal"
    heiiki_trust = "/etc/heiiki/pki/xmpp/trust.pem"
    heiiki_revoked = "/etc/heiiki/pki/xmpp/revoked.txt"
    heiiki_devices = "/etc/heiiki/xmpp_devices.txt"
