"""
The product as its users meet it: a real ``twistd ngrok`` process, real clients, real sockets.

Nothing of ``ngrok_twisted`` is imported here: only the outside is tested. The tests are plain and blocking, each operation
has a time limit of its own, and a watchdog in `tests.functional.case.EdgeTestCase` ends a test that hangs nevertheless.
"""
