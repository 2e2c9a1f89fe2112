"""
The private names of Twisted that the package stands on, in one place.

An upgrade of Twisted that moves one of them fails here, loudly, with the name of the file that has to change.
"""

from __future__ import annotations

import inspect
import os
import re
import socket
import ssl
from typing import Any

from twisted.application.app import ApplicationRunner
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.internet import abstract, epollreactor, posixbase, tcp
from twisted.internet.base import ReactorBase
from twisted.internet.endpoints import _SystemdParser
from twisted.python import usage
from twisted.python.systemd import ListenFDs
from twisted.scripts import twistd
from twisted.trial.unittest import SynchronousTestCase


def source(thing: Any) -> str:
    """The text of a class or function."""
    return inspect.getsource(thing)


def parameters(function: Any) -> list[str]:
    """The names of a function's parameters."""
    return list(inspect.signature(function).parameters)


class EagerSeams(SynchronousTestCase):
    """What ``net/eager.py`` relies on."""

    def test_write_buffers(self) -> None:
        """A descriptor buffers in _tempDataBuffer, counted by _tempDataLen, and in dataBuffer from offset on."""

        class Stuck(abstract.FileDescriptor):
            def writeSomeData(self, data: bytes) -> int:
                return 2

            def startWriting(self) -> None:
                pass

            stopWriting = startWriting

        descriptor = Stuck(reactor=object())  # type: ignore[arg-type]
        descriptor.connected = 1
        descriptor.write(b"abc")
        self.assertEqual(
            (descriptor._tempDataBuffer, descriptor._tempDataLen, descriptor.dataBuffer), ([b"abc"], 3, b"")
        )
        descriptor.doWrite()
        self.assertEqual((descriptor._tempDataLen, descriptor.dataBuffer, descriptor.offset), (0, b"abc", 2))

    def test_flags(self) -> None:
        """The flags that tell whether writing still makes sense."""
        for name in ("connected", "disconnected", "disconnecting", "_writeDisconnected", "_writeDisconnecting"):
            self.assertFalse(getattr(abstract.FileDescriptor, name), name)
        self.assertFalse(tcp.Connection._aborting)
        self.assertIs(tcp.Connection.TLS, False)

    def test_producers(self) -> None:
        """A consumer keeps its producer in public-looking attributes and pauses it in _maybePauseProducer."""
        self.assertIsNone(abstract.FileDescriptor.producer)
        self.assertFalse(abstract.FileDescriptor.streamingProducer)
        self.assertEqual(parameters(abstract.FileDescriptor._maybePauseProducer), ["self"])

    def test_instance_methods_win(self) -> None:
        """Twisted itself replaces doRead and doWrite on the instance, so that we may."""
        self.assertIn("self.doRead = ", source(tcp._AbortingMixin.abortConnection))
        self.assertIn("del self.doRead", source(tcp.BaseClient.doConnect))

    def test_connection(self) -> None:
        """The parts of a TCP connection's life that are overridden or called."""
        self.assertEqual(parameters(tcp.Connection.__init__), ["self", "skt", "protocol", "reactor"])
        self.assertEqual(
            parameters(tcp.Server.__init__), ["self", "sock", "protocol", "client", "server", "sessionno", "reactor"]
        )
        self.assertEqual(
            parameters(tcp.Server._fromConnectedSocket), ["fileDescriptor", "addressFamily", "factory", "reactor"]
        )
        self.assertEqual(parameters(tcp.Client._connectDone), ["self"])
        self.assertEqual(parameters(tcp.Connector._makeTransport), ["self"])
        self.assertTrue(hasattr(tcp.Server, "_addressType"))
        self.assertEqual(parameters(tcp.Server._getLogPrefix), ["self", "applicationObject"])

    def test_end_of_a_connection(self) -> None:
        """What tcp.Connection.connectionLost does, which eager transports do in fewer steps."""
        text = source(tcp.Connection.connectionLost)
        for part in (
            'hasattr(self, "socket")',
            "abstract.FileDescriptor.connectionLost(self, reason)",
            "self._closeSocket(not reason.check(error.ConnectionAborted))",
            "del self.protocol",
            "del self.socket",
            "del self.fileno",
            "protocol.connectionLost(reason)",
        ):
            self.assertIn(part, text)
        self.assertIn("self.connector.connectionLost(reason)", source(tcp._BaseBaseClient.connectionLost))
        self.assertEqual(parameters(tcp.Connection._closeWriteConnection), ["self"])

    def test_server_attributes(self) -> None:
        """tcp.Server sets nothing that EagerServer, which replaces its __init__, does not."""
        assigned = set(re.findall(r"self\.(\w+)(?::[^=]+)? = ", source(tcp.Server.__init__)))
        replaced = {"logstr", "repstr"}  # by logPrefix and __repr__
        kept = {"_addressType", "server", "client", "sessionno", "hostname", "connected"}
        self.assertEqual(assigned, replaced | kept)

    def test_port(self) -> None:
        """The parts of a port that are overridden or called."""
        self.assertIs(tcp.Port.transport, tcp.Server)
        self.assertEqual(parameters(tcp.Port._fromListeningDescriptor), ["reactor", "fd", "addressFamily", "factory"])
        self.assertIn("self.numberAccepts = 100", source(tcp.Port.startListening))
        self.assertEqual(parameters(tcp.Port._buildAddr), ["self", "address"])
        self.assertIsNone(tcp.Port._realPortNumber)
        self.assertTrue(callable(socket.SocketType._accept))  # type: ignore[attr-defined]


class TLSSeams(SynchronousTestCase):
    """What ``net/tls_connection.py`` relies on in the standard library."""

    def test_what_an_ssl_object_stands_before(self) -> None:
        """An `ssl.SSLObject` hands every call on to its _sslobj, and adds nothing."""
        for name in ("read", "write", "do_handshake", "selected_alpn_protocol", "version", "cipher", "getpeercert"):
            self.assertIn(f"self._sslobj.{name}(", source(getattr(ssl.SSLObject, name)))
        self.assertIn("self._sslobj.shutdown()", source(ssl.SSLObject.unwrap))
        self.assertIn("context._wrap_bio(", source(ssl.SSLObject._create))  # type: ignore[attr-defined]


class ReactorSeams(SynchronousTestCase):
    """What ``net/reactor.py`` relies on."""

    def test_epoll_state(self) -> None:
        """The epoll reactor keeps a poller and its selectables by descriptor."""
        reactor = epollreactor.EPollReactor()
        try:
            self.assertIsInstance(reactor._selectables, dict)
            self.assertEqual((reactor._reads, reactor._writes), ({*reactor._selectables}, set()))
            self.assertEqual((reactor._continuousPolling._readers, reactor._continuousPolling._writers), (set(), set()))
            self.assertTrue(callable(reactor._poller.poll))
        finally:
            for internal in tuple(reactor._internalReaders):
                reactor.removeReader(internal)
                internal.connectionLost(None)
            reactor._poller.close()

    def test_dispatch(self) -> None:
        """Events that are not plain reads or writes go the stock way; ends are told by _disconnectSelectable."""
        self.assertEqual(parameters(posixbase._PollLikeMixin._doReadOrWrite), ["self", "selectable", "fd", "event"])
        self.assertEqual(
            parameters(posixbase._DisconnectSelectableMixin._disconnectSelectable)[:4],
            ["self", "selectable", "why", "isRead"],
        )
        self.assertTrue(isinstance(posixbase._NO_FILEDESC, Exception))
        self.assertIn("doIteration = doPoll", source(epollreactor.EPollReactor))

    def test_doPoll_is_what_we_shortened(self) -> None:
        """The stock doPoll still is: poll, look up, dispatch in a logging context."""
        text = source(epollreactor.EPollReactor.doPoll)
        for part in ("self._poller.poll(timeout, len(self._selectables))", "EINTR", "log.callWithLogger"):
            self.assertIn(part, text)

    def test_loop(self) -> None:
        """The stock main loop still is what ours is, and timed calls wait in a heap, new ones beside it."""
        for part in (
            "runUntilCurrent()",
            "self.timeout()",
            "self.running and t2",
            "doIteration(t)",
            "while self._started",
        ):
            self.assertIn(part, source(ReactorBase.mainLoop))
        for part in (
            "threadCallQueue",
            "_insertNewDelayedCalls",
            "_pendingTimedCalls",
            "_cancellations > 50",
            "_justStopped",
        ):
            self.assertIn(part, source(ReactorBase.runUntilCurrent))
        self.assertIn("self._newTimedCalls", source(ReactorBase._insertNewDelayedCalls))

    def test_socket_methods(self) -> None:
        """The methods that make transports keep their signatures."""
        base = posixbase.PosixReactorBase
        self.assertEqual(parameters(base.listenTCP), ["self", "port", "factory", "backlog", "interface"])
        self.assertEqual(parameters(base.connectTCP), ["self", "host", "port", "factory", "timeout", "bindAddress"])
        self.assertEqual(parameters(base.adoptStreamPort), ["self", "fileDescriptor", "addressFamily", "factory"])
        self.assertEqual(parameters(base.adoptStreamConnection), ["self", "fileDescriptor", "addressFamily", "factory"])
        self.assertTrue(hasattr(base, "_supportedAddressFamilies"))


class ServerSeams(SynchronousTestCase):
    """What ``server.py`` relies on."""

    def test_exit_signal(self) -> None:
        """twistd reads the signal that stopped the reactor after the reactor has ended, and ends itself with it."""
        self.assertIsNone(ReactorBase._exitSignal)
        self.assertIn("self._exitSignal = number", source(ReactorBase.sigTerm))
        text = source(ApplicationRunner.startReactor)
        self.assertLess(text.index("runReactorWithLogging("), text.index("self._exitSignal = reactor._exitSignal"))
        self.assertIn("if runner._exitSignal is not None", source(twistd.runApp))


class ActivationSeams(SynchronousTestCase):
    """What ``net/activation.py`` relies on."""

    def test_read_once(self) -> None:
        """Twisted reads what systemd says of its sockets when it is imported, takes it out, and keeps it there."""
        self.assertIsInstance(_SystemdParser._sddaemon, ListenFDs)
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}
        found = ListenFDs.fromEnvironment(environ)
        self.assertEqual(environ, {"LISTEN_FDNAMES": "a:b"})
        self.assertEqual((found.inheritedDescriptors(), found.inheritedNamedDescriptors()), ([3, 4], {"a": 3, "b": 4}))


class AdoptionSeams(SynchronousTestCase):
    """What restarts in place rely on."""

    def test_not_shut_down(self) -> None:
        """A port that adopts a socket closes it and does not shut it down, which would end it for everyone who has it."""
        self.assertIn("self._shouldShutdown = False", source(tcp.Port.startListening))

    def test_options(self) -> None:
        """twistd reads the options of its command before it looks for other servers, and its own after that."""
        text = source(ApplicationRunner.run)
        self.assertLess(text.index("self.preApplication()"), text.index("self.createOrGetApplication()"))
        parsing = source(usage.Options.parseOptions)
        self.assertLess(parsing.index("self.subOptions.parseOptions("), parsing.index("self.postOptions()"))
        self.assertIn("self.subOptions.parent = self", parsing)


class ExchangeSeams(SynchronousTestCase):
    """What ``transports/ssh/exchange.py`` relies on."""

    def test_host_keys(self) -> None:
        """The group exchange asks _getHostKeys, and of what it gives it uses blob and sign only."""
        text = source(SSHServerTransport.ssh_KEX_DH_GEX_INIT)
        self.assertIn("pubHostKey, privHostKey = self._getHostKeys(self.keyAlg)", text)
        used = set(re.findall(r"(?:pub|priv)HostKey\.\w+\([^)]*\)", text))
        wanted = {"pubHostKey.blob()", "privHostKey.sign(exchangeHash, signatureType=self.keyAlg)"}
        self.assertEqual(used, wanted)
