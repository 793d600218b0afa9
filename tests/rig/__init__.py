"""What the tests stand on: a wire, a real Kea, clients, and scripts that remember."""
