//go:build tools

// Package frp keeps frp's two programs in go.mod; scripts/install-bench-peers builds them from the Go module proxy.
package frp

import (
	_ "github.com/fatedier/frp/cmd/frpc"
	_ "github.com/fatedier/frp/cmd/frps"
)
