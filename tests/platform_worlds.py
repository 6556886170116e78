"""What the devices of the tests are like, and pieces that their configurations are put together from.

Each piece has several forms; a configuration takes one form of each, or none. Secrets begin with ``S3cret``.
"""

from dataclasses import dataclass

from platform_device import Nature


_OF_A_NEIGHBOR = r"router bgp .*(?: / address-family .*)? / neighbor (\S+) (?!remote-as).*"


@dataclass(frozen=True)
class World:
    """A platform for the tests: its device, pieces of configurations, and what no change may touch."""

    nature: Nature
    pieces: tuple[tuple[str, ...], ...]
    untouched: str = ""


FRR = World(
    Nature(
        sections=(
            r"bfd",
            r"bfd / profile \S+",
            r"key chain \S+",
            r"key chain \S+ / key \d+",
            r"route-map \S+ \S+ \d+",
            r"interface \S+",
            r"router ospf",
            r"mpls ldp",
            r"mpls ldp / address-family ipv4",
            r"vrf \S+",
            r"mpls ldp / address-family ipv4 / interface \S+",
            r"router bgp \d+(?: vrf \S+)?",
            r"router bgp .* / address-family .*",
            r"line vty",
        ),
        ends=frozenset({"exit", "exit-address-family", "exit-vrf"}),
        unique=(
            r"(hostname) \S+",
            r"(log file) \S+.*",
            r"route-map (\S+) (?:permit|deny) (\d+)",
            r"(detect-multiplier|receive-interval|transmit-interval) \d+",
            r"(key-string|cryptographic-algorithm) \S+",
            r"(ip ospf (?:area|cost|hello-interval|network|authentication key-chain|bfd profile)) .*",
            r"(ospf router-id|timers throttle spf|router-id|discovery transport-address) .*",
            r"(neighbor \S+ (?:remote-as|description|password|update-source|timers connect|maximum-prefix|bfd profile)) .*",
            r"(neighbor \S+) route-map \S+ (in|out)",
            r"(bgp router-id) \S+",
            r"((?:rt|rd|label) vpn \S+) .*",
            r"(ip protocol \S+ route-map) \S+",
        ),
        lasting=(r"^interface \S+", r"vrf \S+", r"router bgp .* / address-family .*"),
        keyed=(r"neighbor \S+ password", r"key-string"),
        numbered=(r"ip prefix-list (\S+) seq (\d+) .*",),
        silent_twins=True,
        lists=(r"ip prefix-list \S+",),
        owners=(
            (r"neighbor (\S+) remote-as ", "neighbor {1} "),
            (r"neighbor (\S+) bfd$", "neighbor {1} bfd "),
            (r"(ip ospf) bfd$", "ip ospf bfd "),
        ),
        needs=(
            (r"neighbor \S+ route-map (\S+) (?:in|out)", r"route-map {1} \S+ \d+"),
            (r"match ip address prefix-list (\S+)", r"ip prefix-list {1} .*"),
            (r"neighbor \S+ bfd profile (\S+)", r"profile {1}"),
            (r"ip ospf bfd profile (\S+)", r"profile {1}"),
            (r"ip ospf authentication key-chain (\S+)", r"key chain {1}"),
            (_OF_A_NEIGHBOR, r"neighbor {1} remote-as \d+"),
        ),
    ),
    pieces=(
        ("hostname ce-a", "hostname ce-b"),
        ("no ipv6 forwarding",),
        ("log file /var/log/frr/frr.log", "log file /var/log/frr/frr.log informational"),
        (
            "bfd\n profile active\n  detect-multiplier 3\n  receive-interval 300\n exit\nexit",
            "bfd\n profile active\n  detect-multiplier 4\n  transmit-interval 300\n exit\n profile standby\n exit\nexit",
        ),
        (
            "interface eth1\n ip ospf area 0\n ip ospf network point-to-point\n ip ospf bfd\nexit",
            "bfd\n profile o\n exit\nexit\ninterface eth1\n ip ospf area 1\n ip ospf bfd\n ip ospf bfd profile o\nexit",
            "key chain eth1\n key 1\n  cryptographic-algorithm hmac-sha-256\n  key-string S3cretOne\n exit\nexit\n"
            "interface eth1\n ip ospf area 0\n ip ospf authentication key-chain eth1\nexit",
            "key chain eth1\n key 1\n  key-string S3cretTwo\n exit\n key 2\n  key-string S3cretOne\n exit\nexit\n"
            "interface eth1\n ip ospf area 0\n ip ospf cost 20\n ip ospf authentication key-chain eth1\nexit",
        ),
        (
            "router ospf\n ospf router-id 10.0.0.1\n mpls ldp-sync\nexit",
            "router ospf\n ospf router-id 10.0.0.2\nexit",
        ),
        (
            "mpls ldp\n router-id 10.0.0.1\n neighbor 10.0.0.2 password S3cretLdp\n address-family ipv4\n"
            "  discovery transport-address 10.0.0.1\n  interface eth1\n  exit\n exit-address-family\nexit",
            "mpls ldp\n router-id 10.0.0.1\n address-family ipv4\n  interface eth2\n  exit\n exit-address-family\nexit",
        ),
        (
            "router bgp 65001\n bgp router-id 10.0.0.1\n no bgp default ipv4-unicast\nexit",
            "router bgp 65001\n bgp router-id 10.0.0.9\n bgp log-neighbor-changes\nexit",
        ),
        (
            "bfd\n profile active\n exit\nexit\nip prefix-list LAN seq 5 permit 10.1.0.0/28\n"
            "route-map OUT permit 10\n match ip address prefix-list LAN\nexit\n"
            "router bgp 65001\n neighbor 10.9.0.1 remote-as 64601\n neighbor 10.9.0.1 password S3cretOld\n"
            " neighbor 10.9.0.1 bfd\n neighbor 10.9.0.1 bfd profile active\n address-family ipv4 unicast\n"
            "  neighbor 10.9.0.1 activate\n  neighbor 10.9.0.1 route-map OUT out\n exit-address-family\nexit",
            "ip prefix-list LAN seq 5 permit 10.2.0.0/28\nip prefix-list LAN seq 10 permit 10.1.0.0/28\n"
            "route-map OUT-2 permit 10\n match ip address prefix-list LAN\n set local-preference 200\nexit\n"
            "router bgp 65001\n neighbor 10.9.0.1 remote-as 64602\n neighbor 10.9.0.1 password S3cretNew\n"
            " neighbor 10.9.0.1 bfd\n address-family ipv4 unicast\n  network 10.1.0.0/28\n"
            "  neighbor 10.9.0.1 activate\n  neighbor 10.9.0.1 route-map OUT-2 out\n exit-address-family\nexit",
            "ip prefix-list LAN seq 10 permit 10.2.0.0/28\nroute-map OUT deny 10\n match ip address prefix-list LAN\nexit\n"
            "router bgp 65001\n neighbor 10.9.0.2 remote-as 64601\n address-family ipv4 unicast\n"
            "  neighbor 10.9.0.2 activate\n  neighbor 10.9.0.2 route-map OUT in\n exit-address-family\nexit",
        ),
        (
            "vrf red\nexit-vrf\nrouter bgp 65001 vrf red\n address-family ipv4 unicast\n  redistribute connected\n"
            "  rd vpn export 1:1\n  rt vpn both 1:1\n  export vpn\n  import vpn\n exit-address-family\nexit",
            "router bgp 65001 vrf red\n address-family ipv4 unicast\n  rd vpn export 1:2\n  rt vpn import 1:1\n"
            "  rt vpn export 1:2\n exit-address-family\nexit",
        ),
        (
            "ip prefix-list HUB seq 5 permit 10.5.0.0/16\nroute-map SRC permit 10\n"
            " match ip address prefix-list HUB\nexit\nroute-map SRC permit 20\nexit\nip protocol bgp route-map SRC",
            "route-map SRC permit 20\nexit\nip protocol bgp route-map SRC",
        ),
    ),
    untouched="frr version 10.3\nfrr defaults traditional\nservice integrated-vtysh-config\nline vty\nexit",
)

IOSXE = World(
    Nature(
        sections=(
            r"vrf definition \S+",
            r"vrf definition \S+ / address-family .*",
            r"ip access-list extended \S+",
            r"route-map \S+ \S+ \d+",
            r"interface \S+",
            r"router bgp \d+",
            r"router bgp \d+ / address-family .*",
            r"crypto pki trustpoint \S+",
            r"crypto pki certificate chain \S+",
            r"certificate .*",
            r"crypto ikev2 (?:proposal|policy|profile|keyring) \S+",
            r"crypto ikev2 keyring \S+ / peer \S+",
            r"crypto ipsec transform-set .*",
            r"crypto ipsec profile \S+",
            r"line .*",
            r"archive",
        ),
        ends=frozenset({"exit", "exit-address-family", "quit"}),
        unique=(
            r"(hostname|rd|description|encryption|integrity|prf|group|mode|dpd|enrollment url|revocation-check) .*",
            r"(ip address) \S+ \S+",
            r"ip access-group \S+ (in|out)",
            r"(tunnel (?:source|mode|destination)) .*",
            r"(tunnel protection ipsec) .*",
            r"(vrf forwarding) \S+",
            r"(bfd interval) .*",
            r"(set \S+) .*",
            r"(vrrp \d+ (?:ip|priority|track \d+)) .*",
            r"(authentication (?:local|remote)) .*",
            r"(identity local) .*",
            r"(pki trustpoint) \S+",
            r"(ppp chap (?:hostname|password)) .*",
            r"(exec-timeout|transport input) .*",
            r"route-map (\S+) (?:permit|deny) (\d+)",
            r"(router) bgp \d+",
            r"(bgp router-id) \S+",
            r"(path|maximum) .*",
            r"(neighbor \S+ (?:remote-as|description|password|timers|fall-over|maximum-prefix)) .*",
            r"(neighbor \S+) route-map \S+ (in|out)",
            r"(crypto ipsec transform-set \S+) .*",
            r"(username \S+) .*",
            r"(pre-shared-key(?: local| remote)?) .*",
            r"(ip|ipv6) redirects",
            r"(snmp-server location) .*",
            r"(address) \S+",
        ),
        lasting=(r"interface GigabitEthernet\S+?", r"line .*"),
        keyed=(
            r"neighbor \S+",
            r"neighbor \S+ password",
            r"ppp chap password",
            r"\d+",
            r"pre-shared-key(?: local)?",
            r"username \S+ secret",
            r"snmp-server community",
            r"username \S+ privilege 15 secret",
        ),
        numbered=(r"ip access-list extended (\S+) / (\d+) .*", r"ip prefix-list (\S+) seq (\d+) .*"),
        lists=(r"ip prefix-list \S+",),
        owners=((r"neighbor (\S+) remote-as ", "neighbor {1} "),),
        wipes=((r"vrf forwarding ", "ip address "),),
        needs=(
            (r"neighbor \S+ route-map (\S+) (?:in|out)", r"route-map {1} \S+ \d+"),
            (r"match ip address prefix-list (\S+)", r"ip prefix-list {1} .*"),
            (r"ip access-group (\S+) in", r"ip access-list extended {1}"),
            (r"vrf forwarding (\S+)", r"vrf definition {1}"),
            (r"tunnel protection ipsec profile (\S+)", r"crypto ipsec profile {1}"),
            (r"set transform-set (\S+)", r"crypto ipsec transform-set {1} .*"),
            (r"set ikev2-profile (\S+)", r"crypto ikev2 profile {1}"),
            (r"pki trustpoint (\S+)", r"crypto pki trustpoint {1}"),
            (r"proposal (\S+)", r"crypto ikev2 proposal {1}"),
            (_OF_A_NEIGHBOR, r"neighbor {1} remote-as \d+"),
        ),
        defaults=("no shutdown", "no ip address"),
        one_only=(r"router bgp \d+",),
    ),
    pieces=(
        ("hostname ce-a", "hostname ce-b"),
        ("vrf definition MGMT\n rd 1:1\n address-family ipv4\n exit-address-family\nexit",),
        (
            "interface GigabitEthernet0/0/0\n description WAN\n ip address 10.9.0.2 255.255.255.252\n"
            " bfd interval 300 min_rx 300 multiplier 3\n no ip redirects\nexit",
            "interface GigabitEthernet0/0/0\n ip address 10.9.0.6 255.255.255.252\n shutdown\nexit",
            "vrf definition MGMT\nexit\ninterface GigabitEthernet0/0/0\n vrf forwarding MGMT\n"
            " ip address 10.9.0.2 255.255.255.252\nexit",
            "ip access-list extended WAN-IN\n 10 permit udp any any eq 500\n 20 permit esp any any\nexit\n"
            "interface GigabitEthernet0/0/0\n ip address 10.9.0.2 255.255.255.252\n ip access-group WAN-IN in\nexit",
            "ip access-list extended WAN-IN\n 10 permit esp any any\n 15 remark udp\n 20 permit udp any any eq 500\n"
            " 30 deny ip any any\nexit\ninterface GigabitEthernet0/0/0\n ip access-group WAN-IN in\nexit",
        ),
        (
            "interface GigabitEthernet0/0/1\n ip address 10.1.0.2 255.255.255.240\n vrrp 10 ip 10.1.0.1\n"
            " vrrp 10 priority 110\n no shutdown\nexit",
            "interface GigabitEthernet0/0/1\n ip address 10.1.0.2 255.255.255.240\n"
            " ip address 10.1.1.2 255.255.255.0 secondary\n vrrp 10 ip 10.1.0.3\n vrrp 10 track 1 decrement 30\nexit",
        ),
        (
            "crypto pki trustpoint CA1\n enrollment url http://10.0.0.1\n revocation-check crl\nexit\n"
            "crypto ikev2 proposal P1\n encryption aes-gcm-256\n prf sha384\n group 19\nexit\n"
            "crypto ikev2 policy POL\n proposal P1\nexit\n"
            "crypto ikev2 profile PR\n match identity remote fqdn hub\n authentication local rsa-sig\n"
            " pki trustpoint CA1\n dpd 10 3 on-demand\nexit\n"
            "crypto ipsec transform-set T esp-gcm 256\n mode tunnel\nexit\n"
            "crypto ipsec profile IP\n set transform-set T\n set pfs group19\n set ikev2-profile PR\nexit\n"
            "interface Tunnel1\n tunnel source GigabitEthernet0/0/0\n tunnel mode ipsec ipv4\n"
            " tunnel protection ipsec profile IP\nexit",
            "crypto ikev2 proposal P2\n encryption aes-gcm-256\n prf sha512\n group 20\nexit\n"
            "crypto ikev2 policy POL\n proposal P2\nexit\n"
            "crypto ikev2 keyring K\n peer hub\n  address 10.0.0.1\n  pre-shared-key local S3cretIke\n exit\nexit\n"
            "crypto ikev2 profile PR-2\n match identity remote fqdn hub\n authentication local pre-share\n"
            " authentication remote pre-share\nexit\n"
            "crypto ipsec transform-set T esp-aes 256\n mode tunnel\nexit\n"
            "crypto ipsec profile IP\n set transform-set T\n set ikev2-profile PR-2\nexit\n"
            "interface Tunnel1\n tunnel source GigabitEthernet0/0/0\n tunnel protection ipsec profile IP\nexit",
        ),
        (
            "router bgp 65001\n bgp router-id 10.0.0.1\n neighbor 10.9.0.1 remote-as 64601\n"
            " neighbor 10.9.0.1 password S3cretOld\n neighbor 10.9.0.1 fall-over bfd\n address-family ipv4\n"
            "  network 10.1.0.0 mask 255.255.255.240\n  neighbor 10.9.0.1 activate\n exit-address-family\nexit",
            "ip prefix-list LAN seq 5 permit 10.1.0.0/28\nroute-map OUT permit 10\n match ip address prefix-list LAN\n"
            "exit\nrouter bgp 65001\n neighbor 10.9.0.1 remote-as 64602\n neighbor 10.9.0.1 password 7 S3cretNew\n"
            " address-family ipv4\n  neighbor 10.9.0.1 activate\n  neighbor 10.9.0.1 route-map OUT out\n"
            " exit-address-family\nexit",
            "ip prefix-list LAN seq 5 permit 10.2.0.0/28\nip prefix-list LAN seq 10 permit 10.1.0.0/28\n"
            "route-map OUT deny 10\n match ip address prefix-list LAN\nexit\n"
            "router bgp 65009\n no bgp default ipv4-unicast\n neighbor 10.9.0.5 remote-as 64602\n"
            " address-family ipv4\n  neighbor 10.9.0.5 activate\n  neighbor 10.9.0.5 route-map OUT in\n"
            " exit-address-family\nexit",
        ),
        ("username ops privilege 15 secret 9 S3cretUser", "username ops privilege 15 secret 9 S3cretOther"),
        ("snmp-server community S3cretSnmp RO", "snmp-server location Umeda"),
        ("ntp server 10.0.0.1\nlogging host 10.0.0.1", "ntp server 10.0.0.1\nntp server 10.0.0.2"),
        ("no ip http server\nip route 0.0.0.0 0.0.0.0 10.9.0.1", "ip route 0.0.0.0 0.0.0.0 10.9.0.5"),
        (
            "line vty 0 4\n exec-timeout 10 0\n transport input ssh\nexit",
            "line vty 0 4\n transport input none\nexit",
        ),
    ),
    untouched="version 17.12\nboot-start-marker\nboot-end-marker\nlicense udi pid C8200L-1N-4T sn FGL0000\n"
    "crypto pki trustpoint TP-self-signed-1\n enrollment selfsigned\nexit\n"
    "crypto pki certificate chain TP-self-signed-1\n certificate self-signed 01\n  30820330\n  quit\nexit",
)

_SELECT = (r"pp select \S+", r"tunnel select \S+")

RTX = World(
    Nature(
        sections=_SELECT,
        ends=frozenset({"pp select none", "tunnel select none"}),
        unique=(
            r"(ip route \S+) .*",
            r"(ip filter \d+) .*",
            r"(ip lan\d (?:address|secure filter \S+)) .*",
            r"(ip lan\d vrrp \d+) .*",
            r"(ip (?:pp|tunnel) (?:mtu|address|secure filter \S+|tcp mss limit)) .*",
            r"(pp (?:always-on|auth accept|auth myname)) .*",
            r"(pppoe use) .*",
            r"(ppp \S+ \S+) .*",
            r"(bgp use) .*",
            r"(bgp (?:autonomous-system|router id)) .*",
            r"(bgp neighbor \d+) .*",
            r"(bgp import filter \d+) .*",
            r"(bgp neighbor pre-shared-key \d+) .*",
            r"(ipsec tunnel) .*",
            r"(ipsec sa policy \d+) .*",
            r"(ipsec ike (?:version|pki file|auth method|encryption|hash|group|pre-shared-key|local address) \d+) .*",
            r"(ipsec ike local name \d+) .*",
            r"(ipsec ike keepalive use \d+) .*",
            r"(syslog host) .*",
            r"(ipsec auto refresh) .*",
            r"(ntpdate) .*",
            r"(login password) .*",
            r"(ip keepalive \d+) .*",
            r"(pki certificate file \d+) .*",
            r"(schedule at \d+) .*",
            r"(snmpv3 usm user \d+) .*",
        ),
        lasting=_SELECT,
        keyed=(r".*",),
        nothing=("bgp configure refresh",),
        needs=(
            (r"ip lan\d secure filter in (\d+).*", r"ip filter {1} .*"),
            (r"ip route \S+ .* keepalive (\d+)", r"ip keepalive {1} .*"),
        ),
    ),
    pieces=(
        (
            "ip route default gateway pp 1",
            "ip keepalive 1 icmp-echo 1 3 10.0.0.1\nip route default gateway tunnel 1 keepalive 1",
        ),
        (
            "ip lan1 address 10.1.0.2/28\nip lan1 vrrp 10 10.1.0.1 priority=110 preempt=on",
            "ip lan1 address 10.1.0.3/28\nip lan1 vrrp 10 10.1.0.1 priority=90",
        ),
        (
            "ip filter 100 pass * * udp * 500\nip filter 101 reject * *\nip lan2 secure filter in 100 101",
            "ip filter 100 pass * * esp\nip filter 102 reject * *\nip lan2 secure filter in 102 100",
        ),
        (
            "pp select 1\n pp always-on on\n pppoe use lan2\n pp auth accept chap\n pp auth myname user S3cretPpp\n"
            " ppp lcp mru on 1454\n ip pp mtu 1454\n pp enable 1\npp select none",
            "pp select 1\n pppoe use lan3\n pp auth myname user S3cretPpp2\n pp enable 1\npp select none",
        ),
        (
            "tunnel select 1\n ipsec tunnel 101\n  ipsec sa policy 101 1 esp aes256-cbc sha256-hmac\n"
            "  ipsec ike version 1 2\n  ipsec ike keepalive use 1 on rfc4306 10 3\n"
            "  ipsec ike pre-shared-key 1 text S3cretIke\n ip tunnel tcp mss limit auto\n tunnel enable 1\n"
            "tunnel select none",
            "tunnel select 1\n ipsec tunnel 101\n  ipsec sa policy 101 1 esp aes-cbc sha-hmac\n  ipsec ike version 1 2\n"
            "  ipsec ike auth method 1 certificate\n  ipsec ike local name 1 ce-a fqdn\n tunnel enable 1\n"
            "tunnel select none\npki certificate file 1 /ce.p12 pkcs12 S3cretFile",
        ),
        (
            "bgp use on\nbgp autonomous-system 65001\nbgp neighbor 1 64601 10.9.0.1 hold-time=3\n"
            "bgp neighbor pre-shared-key 1 text S3cretBgp\nbgp import filter 1 equal 10.1.0.0/28",
            "bgp use on\nbgp autonomous-system 65001\nbgp neighbor 1 64602 10.9.0.5 hold-time=3",
        ),
        ("syslog host 10.0.0.1\nntpdate 10.0.0.1", "syslog host 10.0.0.2"),
        ("login password S3cretLogin", "login password encrypted S3cretLogin2"),
        ("snmpv3 usm user 1 mon sha S3cretAuth aes128-cfb S3cretPriv",),
        ("a line that no table knows", "another line that no table knows"),
    ),
    untouched="sshd host key generate *",
)

IX = World(
    Nature(
        sections=(
            r"interface \S+",
            r"router bgp \d+",
            r"router bgp \d+ / address-family .*",
            r"ikev2 default-profile",
            r"ppp profile \S+",
            r"route-map \S+ \S+ \d+",
            r"watch-group \S+ \d+",
        ),
        ends=frozenset({"exit"}),
        unique=(
            r"(hostname) .*",
            r"(ip address) \S+",
            r"ip filter \S+ (\d+) (in|out)",
            r"(vrrp \d+ (?:ip|priority)) .*",
            r"(ikev2 peer \S+) .*",
            r"(ikev2 (?:binding|connect-type|outgoing-interface)) .*",
            r"(tunnel mode) .*",
            r"((?:sa|child)-proposal \S+) .*",
            r"(child-pfs|dpd interval|description) .*",
            r"(encapsulation) .*",
            r"(authentication (?:myname|password \S+)) .*",
            r"(ppp binding) .*",
            r"(neighbor \S+ (?:remote-as|timers)) .*",
            r"neighbor (\S+) route-map \S+ (in|out)",
            r"(ikev2 authentication psk id \S+ \S+) .*",
            r"(watch-group \S+) \d+",
            r"((?:event|action) \d+) .*",
            r"(router) bgp \d+",
            r"(username \S+) .*",
            r"route-map (\S+) (?:permit|deny) (\d+)",
        ),
        lasting=(r"interface GigaEthernet\S+",),
        keyed=(
            r"ikev2 authentication psk id \S+ \S+",
            r"ikev2 peer \S+",
            r"authentication password \S+",
            r"username \S+",
        ),
        positioned=(r"ip access-list \S+ .*",),
        owners=((r"neighbor (\S+) remote-as ", "neighbor {1} "),),
        needs=(
            (r"ip filter (\S+) \d+ (?:in|out)", r"ip access-list {1} .*"),
            (r"neighbor \S+ route-map (\S+) (?:in|out)", r"route-map {1} \S+ \d+"),
            (r"match ip address access-list (\S+)", r"ip access-list {1} .*"),
            (r"ppp binding (\S+)", r"ppp profile {1}"),
            (_OF_A_NEIGHBOR, r"neighbor {1} remote-as \d+"),
        ),
        defaults=("shutdown",),
        one_only=(r"router bgp \d+",),
    ),
    pieces=(
        ("hostname ce-a", "hostname ce-b"),
        (
            "ip access-list WAN permit udp src any sport any dest any dport eq 500\n"
            "ip access-list WAN permit 50 src any dest any\n"
            "interface GigaEthernet0.0\n ip address 10.9.0.2/30\n ip filter WAN 1 in\n no shutdown\nexit",
            "ip access-list WAN permit udp src any sport any dest any dport eq 500\n"
            "ip access-list WAN permit icmp src any dest any\nip access-list WAN permit 50 src any dest any\n"
            "interface GigaEthernet0.0\n ip address 10.9.0.6/30\n ip filter WAN 1 in\n no shutdown\nexit",
            "ip access-list WAN permit 50 src any dest any\n"
            "ip access-list WAN permit udp src any sport any dest any dport eq 500\n"
            "interface GigaEthernet0.0\n ip address 10.9.0.2/30\n ip filter WAN 1 in\nexit",
        ),
        (
            "vrrp enable\ninterface GigaEthernet2.0\n ip address 10.1.0.2/28\n vrrp 1 ip 10.1.0.1\n vrrp 1 priority 110\n"
            " no shutdown\nexit",
            "interface GigaEthernet2.0\n ip address 10.1.0.3/28\n no shutdown\nexit",
        ),
        (
            "ikev2 authentication psk id ipv4 10.0.0.1 key char S3cretIke\nikev2 default-profile\n"
            " sa-proposal enc aes-gcm-256-16\n child-pfs 2048-bit\n dpd interval 10\nexit\n"
            "interface Tunnel0.0\n tunnel mode ipsec-ikev2\n ip address 10.2.0.1/30\n"
            " ikev2 peer 10.0.0.1 authentication psk id ipv4 10.0.0.1\n no shutdown\nexit",
            "ikev2 authentication psk id ipv4 10.0.0.1 key char S3cretIke2\nikev2 default-profile\n"
            " sa-proposal enc aes-cbc-256\nexit\ninterface Tunnel0.0\n tunnel mode ipsec-ikev2\n"
            " ikev2 peer 10.0.0.1 authentication psk id ipv4 10.0.0.1\nexit",
        ),
        (
            "ppp profile P\n authentication myname user\n authentication password user S3cretPpp\nexit\n"
            "interface GigaEthernet0.1\n encapsulation pppoe\n ppp binding P\n no shutdown\nexit",
            "ppp profile P\n authentication password user S3cretPpp2\nexit\n"
            "ppp profile Q\n authentication myname other\nexit\n"
            "interface GigaEthernet0.1\n encapsulation pppoe\n ppp binding Q\n no shutdown\nexit",
        ),
        (
            "router bgp 65001\n neighbor 10.9.0.1 remote-as 64601\n neighbor 10.9.0.1 timers 10 30\n"
            " address-family ipv4 unicast\n  network 10.1.0.0/28\n exit\nexit",
            "ip access-list OUT permit ip src 10.1.0.0/28 dest any\nroute-map R permit 10\n"
            " match ip address access-list OUT\nexit\nrouter bgp 65001\n neighbor 10.9.0.1 remote-as 64602\n"
            " address-family ipv4 unicast\n  neighbor 10.9.0.1 route-map R out\n exit\nexit",
            "router bgp 65002\n neighbor 10.9.0.5 remote-as 64602\nexit",
        ),
        (
            "watch-group W 10\n event 10 ip unreach-host 10.0.0.1 Tunnel0.0\n action 10 ip shutdown-route 10.0.0.0/8 Tunnel0.0\nexit",
        ),
        ("ip route default 10.9.0.1", "ip route default 10.9.0.5\nip route 10.0.0.0/8 Tunnel0.0"),
        (
            "username ops password plain S3cretUser administrator",
            "username ops password plain S3cretUser2 administrator",
        ),
    ),
    untouched="pki private-key generate rsa",
)

JUNOS = (
    ("set system host-name ce-a", "set system host-name ce-b"),
    (
        "set interfaces ge-0/0/0 unit 0 family inet address 10.9.0.2/30\nset interfaces ge-0/0/0 description wan",
        "set interfaces ge-0/0/0 unit 0 family inet\nset interfaces ge-0/0/0 mtu 1500",
        "set interfaces ge-0/0/0 unit 0 family inet filter input WAN\n"
        "set firewall family inet filter WAN term ike from protocol udp\n"
        "set firewall family inet filter WAN term ike then accept\n"
        "set firewall family inet filter WAN term rest then discard",
        "set interfaces ge-0/0/0 unit 0 family inet filter input WAN\n"
        "set firewall family inet filter WAN term esp from protocol esp\n"
        "set firewall family inet filter WAN term esp then accept\n"
        "set firewall family inet filter WAN term rest then reject\n"
        "set firewall family inet filter WAN term ike then accept",
    ),
    (
        "set protocols bgp group PE type external\nset protocols bgp group PE neighbor 10.9.0.1 peer-as 64601\n"
        'set protocols bgp group PE neighbor 10.9.0.1 authentication-key "S3cretOld"\n'
        "set protocols bgp group PE export A\nset protocols bgp group PE export B",
        "set protocols bgp group PE type external\nset protocols bgp group PE neighbor 10.9.0.5 peer-as 64601\n"
        "set protocols bgp group PE export B\nset protocols bgp group PE export A\nset protocols bgp group PE export C",
        "set protocols bgp group PE neighbor 10.9.0.1 peer-as 64602\n"
        'set protocols bgp group PE neighbor 10.9.0.1 authentication-key "S3cretNew"\n'
        "deactivate protocols bgp group PE neighbor 10.9.0.1",
    ),
    (
        "set policy-options policy-statement A term 1 then accept\nset policy-options policy-statement A term 2 then reject",
        "set policy-options policy-statement A term 2 then reject\nset policy-options policy-statement A term 1 then accept",
    ),
    (
        'set security ike policy P pre-shared-key ascii-text "S3cretIke"\nset security ike policy P proposals ONE',
        'set security ike policy P pre-shared-key ascii-text "S3cretIke2"',
    ),
    (
        "set system ntp server 10.0.0.1\nset system syslog host 10.0.0.1 any notice",
        "set system ntp server 10.0.0.2",
    ),
)
JUNOS_UNTOUCHED = "set version 23.4R1\nset system root-authentication encrypted-password S3cretRoot"
JUNOS_LISTS = (
    r"(firewall family inet filter \S+) (term \S+)",
    r"(policy-options policy-statement \S+) (term \S+)",
    r"(protocols bgp group \S+ export) (\S+)",
)

WORLDS = {"frr": FRR, "cisco_iosxe": IOSXE, "yamaha_rtx": RTX, "nec_ix": IX}
