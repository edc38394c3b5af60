"""The counters as a Faust application: usage comes in, partitions come and go, agents count."""
