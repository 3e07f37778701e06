package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
)

// A goTool is a Go program that is pinned by a go.mod and go.sum.
type goTool struct {
	module string // its directory
	pkg    string
}

var _ tool = goTool{}

// buildFlags are the flags of all builds, and part of the stamp. They never change a
// module.
var buildFlags = []string{"-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

func (g goTool) dir() string    { return g.module }
func (g goTool) pins() []string { return []string{"go.mod", "go.sum"} }

// stamp depends on all versions, the Go version and the platform.
func (g goTool) stamp(ctx context.Context) (string, error) {
	hash := sha256.New()
	if err := hashPins(hash, g); err != nil {
		return "", err
	}
	toolchain, err := g.goCommand(ctx, "env", "GOVERSION", "GOOS", "GOARCH").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	fmt.Fprintf(hash, "%s %s %q", toolchain, g.pkg, buildFlags)
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

func (g goTool) build(ctx context.Context, _, path string) error {
	build := g.goCommand(ctx, append(append([]string{"build"}, buildFlags...), "-o", path, g.pkg)...)
	build.Stdout = os.Stderr
	return build.Run()
}

func (g goTool) command(_ context.Context, path string) ([]string, error) {
	return []string{path}, nil
}

func (g goTool) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	command := interruptibleCommand(ctx, g.module, "go", args...)
	command.Env = append(command.Environ(), "CGO_ENABLED=0") // no C compiler is needed
	return command
}
