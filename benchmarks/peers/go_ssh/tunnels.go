package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"

	"golang.org/x/crypto/ssh"
)

var (
	answer  = []byte("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nok\n")
	headEnd = []byte("\r\n\r\n")
)

// tunnels opens so many tunnels for plain HTTP, each over a connection of its own, and answers every request itself: nothing
// but the tunnels is between a visitor and the answer. Their names are t0, t1, … below a domain. It says when all are online.
func tunnels(address, domain string, clients, atOnce int) {
	var (
		lock    sync.Mutex
		online  int
		running sync.WaitGroup
		slots   = make(chan struct{}, atOnce)
	)
	for number := 0; number < clients; number++ {
		config := settings(ssh.KeyExchangeCurve25519)
		config.Auth = []ssh.AuthMethod{ssh.PublicKeys(userKey(number))}
		name := fmt.Sprintf("t%d.%s", number, domain)
		running.Add(1)
		slots <- struct{}{}
		go func() {
			client, err := tunnel(address, &config, forward{name, 80})
			if err != nil {
				fmt.Fprintln(os.Stderr, name, err)
			} else {
				go answerAll(client.HandleChannelOpen("forwarded-tcpip"))
				lock.Lock()
				online++
				lock.Unlock()
			}
			<-slots
			running.Done()
		}()
	}
	running.Wait()
	fmt.Printf("{\"online\": %d}\n", online)
	os.Stdin.Read(make([]byte, 1)) // until nobody needs them
}

func answerAll(opened <-chan ssh.NewChannel) {
	for wanted := range opened {
		channel, requests, err := wanted.Accept()
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		go answerVisitor(channel)
	}
}

// answerVisitor answers each head of a request; none has a body.
func answerVisitor(channel ssh.Channel) {
	defer channel.Close()
	buffer := make([]byte, 16*1024)
	have := 0
	for {
		count, err := channel.Read(buffer[have:])
		have += count
		for {
			end := bytes.Index(buffer[:have], headEnd)
			if end < 0 {
				break
			}
			if _, err := channel.Write(answer); err != nil {
				return
			}
			have = copy(buffer, buffer[end+len(headEnd):have])
		}
		if err != nil || have == len(buffer) {
			return
		}
	}
}
