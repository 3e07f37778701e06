package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
)

// A goTool is a Go program whose version is pinned by a go.mod and a go.sum.
type goTool struct {
	module string // name of the directory with its go.mod
	pkg    string
}

var _ tool = goTool{}

// buildFlags are the flags of every build. The stamp includes them. With -mod=readonly, a build
// never changes a go.mod.
var buildFlags = []string{"-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

func (g goTool) dir() string    { return g.module }
func (g goTool) pins() []string { return []string{"go.mod", "go.sum"} }

// stamp returns a hash of the versions of all modules, of the Go version, and of the platform.
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
	command.Env = append(command.Environ(), "CGO_ENABLED=0") // builds without a C compiler
	return command
}
