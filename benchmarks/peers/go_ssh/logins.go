package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// storm logs in so many times, with a number of clients under way at a time, by one key exchange. Each client has a key of
// its own, asks for a forward and stays until all are in; then all leave. It prints how many got their forward, in how many
// seconds, and the seconds that the middle one and 99 of 100 took.
func storm(address, exchange string, clients, atOnce int, hold bool) {
	config := settings(exchange)
	var (
		lock    sync.Mutex
		waits   []time.Duration
		errors  = map[string]int{}
		running sync.WaitGroup
		slots   = make(chan struct{}, atOnce)
		leave   = make(chan struct{})
		left    sync.WaitGroup
	)
	begun := time.Now()
	for number := 0; number < clients; number++ {
		running.Add(1)
		left.Add(1)
		config := config
		config.Auth = []ssh.AuthMethod{ssh.PublicKeys(userKey(number))}
		slots <- struct{}{}
		go func() {
			defer left.Done()
			started := time.Now()
			client, err := login(address, &config)
			lock.Lock()
			if err == nil {
				waits = append(waits, time.Since(started))
			} else {
				errors[err.Error()]++
			}
			lock.Unlock()
			<-slots
			running.Done()
			<-leave
			if client != nil {
				client.Close()
			}
		}()
	}
	running.Wait()
	seconds := time.Since(begun).Seconds()
	middle, most := summary(waits)
	fmt.Printf("{\"logins\": %d, \"seconds\": %f, \"p50\": %f, \"p99\": %f}\n", len(waits), seconds, middle, most)
	for text, count := range errors {
		fmt.Fprintf(os.Stderr, "%d: %s\n", count, text)
	}
	if hold {
		os.Stdin.Read(make([]byte, 1)) // until the caller has seen what it wants to see
	}
	close(leave)
	left.Wait()
}

// login is what `ssh -N -R 443:…` does: the handshake, the key, one forward.
func login(address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	return tunnel(address, config, forward{"", 0})
}

// tunnel opens a connection with one forward.
func tunnel(address string, config *ssh.ClientConfig, wanted forward) (*ssh.Client, error) {
	client, err := ssh.Dial("tcp", address, config)
	if err != nil {
		return nil, err
	}
	granted, _, err := client.SendRequest("tcpip-forward", true, ssh.Marshal(wanted))
	if err == nil && !granted {
		err = net.ErrClosed
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// userKey is the key of one client: the same in every run, so that nobody has to make a thousand key files.
func userKey(number int) ssh.Signer {
	seed := sha256.Sum256([]byte(fmt.Sprintf("benchmark user %d", number)))
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed[:]))
	check(err)
	return signer
}

// printKeys prints the lines of an authorized_keys file for so many clients.
func printKeys(clients int) {
	for number := 0; number < clients; number++ {
		os.Stdout.Write(ssh.MarshalAuthorizedKey(userKey(number).PublicKey()))
	}
}

// settings are those of a client, without its key.
func settings(exchange string) ssh.ClientConfig {
	return ssh.ClientConfig{
		User:            "bench",
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		// As OpenSSH prefers it; this library would rather have the server sign with RSA, which takes a millisecond.
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		Timeout:           time.Minute,
		Config:            ssh.Config{KeyExchanges: []string{exchange}},
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}
