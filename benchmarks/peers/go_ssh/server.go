// An SSH server with golang.org/x/crypto/ssh, the library of sish and of every other tunnel server in Go: it lets one key
// in, grants remote forwards and carries their bytes. It keeps no records, knows no names and writes no log.
package main

import (
	"bytes"
	"io"
	"log"
	"net"
	"os"
	"strconv"

	"golang.org/x/crypto/ssh"
)

type forward struct {
	Host string
	Port uint32
}

type forwarded struct {
	Host           string
	Port           uint32
	OriginatorHost string
	OriginatorPort uint32
}

// serve answers clients at an address. The files hold the host's private key and the public keys that may log in.
func serve(address, hostKeyFile, authorizedKeysFile string) {
	authorized, err := os.ReadFile(authorizedKeysFile)
	check(err)
	known := map[string]bool{}
	for len(bytes.TrimSpace(authorized)) > 0 {
		key, _, _, rest, err := ssh.ParseAuthorizedKey(authorized)
		check(err)
		known[string(key.Marshal())], authorized = true, rest
	}
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if known[string(key.Marshal())] {
				return &ssh.Permissions{}, nil
			}
			return nil, os.ErrPermission
		},
	}
	config.AddHostKey(readKey(hostKeyFile))
	listener, err := net.Listen("tcp", address)
	check(err)
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Print(err)
			continue
		}
		go serveClient(connection, config)
	}
}

func serveClient(connection net.Conn, config *ssh.ServerConfig) {
	client, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		connection.Close()
		return
	}
	defer client.Close()
	go serveSessions(channels)
	for request := range requests {
		var wanted forward
		if request.Type != "tcpip-forward" || ssh.Unmarshal(request.Payload, &wanted) != nil {
			request.Reply(request.Type == "keepalive@openssh.com", nil)
			continue
		}
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(wanted.Port))))
		if err != nil {
			request.Reply(false, nil)
			continue
		}
		defer listener.Close()
		port := uint32(listener.Addr().(*net.TCPAddr).Port)
		if wanted.Port == 0 {
			request.Reply(true, ssh.Marshal(struct{ Port uint32 }{port}))
		} else {
			request.Reply(true, nil)
		}
		wanted.Port = port
		go acceptVisitors(listener, client, wanted)
	}
}

func serveSessions(channels <-chan ssh.NewChannel) {
	for wanted := range channels {
		if wanted.ChannelType() != "session" {
			wanted.Reject(ssh.UnknownChannelType, "")
			continue
		}
		channel, requests, err := wanted.Accept()
		if err != nil {
			return
		}
		go io.Copy(io.Discard, channel)
		go func() {
			for request := range requests {
				request.Reply(true, nil)
			}
		}()
	}
}

func acceptVisitors(listener net.Listener, client *ssh.ServerConn, at forward) {
	for {
		visitor, err := listener.Accept()
		if err != nil {
			return
		}
		go carry(visitor.(*net.TCPConn), client, at)
	}
}

func carry(visitor *net.TCPConn, client *ssh.ServerConn, at forward) {
	defer visitor.Close()
	peer := visitor.RemoteAddr().(*net.TCPAddr)
	opening := forwarded{at.Host, at.Port, peer.IP.String(), uint32(peer.Port)}
	channel, requests, err := client.OpenChannel("forwarded-tcpip", ssh.Marshal(opening))
	if err != nil {
		return
	}
	defer channel.Close()
	go ssh.DiscardRequests(requests)
	done := make(chan struct{})
	go func() {
		io.Copy(channel, visitor)
		channel.CloseWrite()
		close(done)
	}()
	io.Copy(visitor, channel)
	visitor.CloseWrite()
	<-done
}
