"""What stands inside "Dhcp4" or "Dhcp6" for most tests; put together as {**SUBNET4, **THREADS}."""

SUBNET4 = {"subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.10 - 192.0.2.250"}]}]}

SUBNET6 = {"subnet6": [{"id": 1, "subnet": "2001:db8::/64", "interface": "vs", "rapid-commit": True,
                        "pools": [{"pool": "2001:db8::1000/116"}],
                        "pd-pools": [{"prefix": "2001:db8:8000::", "prefix-len": 36, "delegated-len": 56}]}]}

SUBNETS = {4: SUBNET4, 6: SUBNET6}

THREADS = {"multi-threading": {"enable-multi-threading": True, "thread-pool-size": 4, "packet-queue-size": 64}}
