"""Junos, as ``show configuration`` prints it, with or without ``| display set``."""

from heiiki.platforms import junos_secret
from heiiki.platforms.rules import Rules, Table

TABLE = Table(
    name="juniper_junos",
    rules=Rules(),
    negation="delete ",
    comments="#",
    paths=True,
    untouched=(
        r"set version",
        r"set system root-authentication",
        r"set system license",
        r"set system auto-snapshot",
        r"set system phone-home",
        r"set security ssh-known-hosts",
        r"set chassis auto-image-upgrade",
        r"set groups junos-defaults",
    ),
    secrets=(
        (
            r" (?:encrypted-password|authentication-key|authentication-password|privacy-password"
            r"|default-chap-secret"
            r"|local-password|default-password|pap-password|chap-secret|secret|simple-password"
            r'|privacy-key) ("[^"]*"|\S+)'
        ),
        r' (?:ascii-text|hexadecimal) ("[^"]*"|\S+)',
        r' md5 \d+ key ("[^"]*"|\S+)',
        r' authentication-key \d+ .*value ("[^"]*"|\S+)',
        r"^\S+ snmp community (\S+)",
    ),
    clear=junos_secret.clear,
    ordered=(
        r"(set firewall (?:family \S+ )?filter \S+) (term \S+)",
        r"(set policy-options policy-statement \S+) (term \S+)",
        r"(set security policies (?:from-zone \S+ to-zone \S+|global)) (policy \S+)",
        r"(set security nat (?:source|destination|static) rule-set \S+) (rule \S+)",
    ),
    ordered_values=(
        r"(set protocols \S+ (?:group \S+ )?(?:neighbor \S+ )?(?:import|export)) (\S+)$",
        r"(set routing-instances \S+ (?:vrf-import|vrf-export)) (\S+)$",
        r"(set security (?:ike|ipsec) policy \S+ proposals) (\S+)$",
        r"(set system (?:name-server|authentication-order)) (\S+)$",
    ),
)
