# Server of the Vault API: OpenBao, or HashiCorp Vault 1.16 or later. vault.lab.internal
ui = false
log_level = "info"
pid_file = "/run/heiiki-vault/pid"
api_addr = "https://10.15.0.6:8200"
cluster_addr = "https://127.0.0.1:8201"

# OpenBao locks no memory, and warns of this line; HashiCorp Vault demands it beside raft, whose mapped files
# must not be locked. Swap is refused to the service instead, by its unit.
disable_mlock = true

storage "raft" {
  path = "/var/lib/heiiki-vault"
  node_id = "vault"
  # No other server votes: nothing is gained by waiting longer for one.
  performance_multiplier = 1
}

listener "tcp" {
  address = "10.15.0.6:8200"
  cluster_address = "127.0.0.1:8201"
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
