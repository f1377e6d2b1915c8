"""How a waiting visitor gets to the woken app, measured in a real browser.

Each cell is one run in a network namespace of its own: a visitor's Chromium and resolver, Route 53's failover record,
API Gateway's front with the starter behind it, and the instance's web server, which starts late.
"""
