//go:build tools

// Package tools says which h2spec is built.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
