# Server of the Vault API: OpenBao, or HashiCorp Vault 1.16 or later. vault.lab.internal
ui = false
log_level = "info"
pid_file = "/run/heiiki-vault/pid"
api_addr = "https://10.15.0.6:8200"
cluster_addr = "https://10.15.0.6:8201"
# A server that follows would answer with what it has, and what was revoked a moment ago may be missing there: all ask
# the one that leads, which a follower does for its clients.
disable_standby_reads = true

# OpenBao locks no memory, and warns of this line; HashiCorp Vault demands it beside raft, whose mapped files
# must not be locked. Swap is refused to the service instead, by its unit.
disable_mlock = true

storage "raft" {
  path = "/var/lib/heiiki-vault"
  node_id = "vault"
  # Who leads and is gone is replaced within some four seconds; who stands still for less than one goes on. At 1, servers on
  # a host that is short of processors elect one after the other.
  performance_multiplier = 2
  # For a server that has lost its storage; one that has some knows its cluster. Until it has a certificate of the service
  # it trusts none of them, and role pki has it join.
  retry_join {
    leader_api_addr = "https://10.15.0.7:8200"
    leader_tls_servername = "vault-2.lab.internal"
    leader_ca_cert_file = "/run/heiiki-vault/peers.pem"
  }
  retry_join {
    leader_api_addr = "https://10.15.0.8:8200"
    leader_tls_servername = "vault-3.lab.internal"
    leader_ca_cert_file = "/run/heiiki-vault/peers.pem"
  }
}

listener "tcp" {
  address = "10.15.0.6:8200"
  cluster_address = "10.15.0.6:8201"
  tls_cert_file = "/run/heiiki-vault/certificate.pem"
  tls_key_file = "/run/heiiki-vault/key.pem"
  tls_min_version = "tls12"
  max_request_size = 65536
  telemetry {
    unauthenticated_metrics_access = false
  }
}

listener "tcp" {
  address = "10.96.3.253:8200"
  cluster_address = "127.0.0.1:8202"
  tls_cert_file = "/run/heiiki-vault/certificate.pem"
  tls_key_file = "/run/heiiki-vault/key.pem"
  tls_min_version = "tls12"
  max_request_size = 65536
  telemetry {
    unauthenticated_metrics_access = false
  }
}

# OpenBao takes audit devices from here alone; HashiCorp Vault passes over it, and is given one by its API.
# It answers as long as it can write one of them.
audit "file" "file" {
  description = "every request and answer"
  options {
    file_path = "/var/log/heiiki-vault/audit.log"
    mode = "0600"
  }
}
audit "file" "memory" {
  description = "every request and answer"
  options {
    file_path = "/var/log/heiiki/audit/audit.log"
    mode = "0600"
  }
}
