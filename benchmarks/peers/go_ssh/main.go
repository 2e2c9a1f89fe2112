package main

import (
	"fmt"
	"os"
	"sort"
	"time"

	"golang.org/x/crypto/ssh"
)

const usage = `usage: go_ssh serve ADDRESS HOST_KEY AUTHORIZED_KEYS
       go_ssh keys CLIENTS
       go_ssh logins ADDRESS EXCHANGE CLIENTS AT_ONCE [hold]
       go_ssh tunnels ADDRESS DOMAIN CLIENTS AT_ONCE`

func main() {
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 4 && arguments[0] == "serve":
		serve(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 2 && arguments[0] == "keys":
		printKeys(number(arguments[1]))
	case len(arguments) >= 5 && arguments[0] == "logins":
		hold := len(arguments) > 5 && arguments[5] == "hold"
		storm(arguments[1], arguments[2], number(arguments[3]), number(arguments[4]), hold)
	case len(arguments) == 5 && arguments[0] == "tunnels":
		tunnels(arguments[1], arguments[2], number(arguments[3]), number(arguments[4]))
	default:
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

func readKey(file string) ssh.Signer {
	text, err := os.ReadFile(file)
	check(err)
	key, err := ssh.ParsePrivateKey(text)
	check(err)
	return key
}

func summary(waits []time.Duration) (middle, most float64) {
	if len(waits) == 0 {
		return 0, 0
	}
	sort.Slice(waits, func(a, b int) bool { return waits[a] < waits[b] })
	return waits[len(waits)/2].Seconds(), waits[len(waits)*99/100].Seconds()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
