package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// An npmModule is a Node.js package that scripts import. It has no dependencies.
type npmModule struct {
	npmTool     // npmTool.entry is the name of the package in node_modules
	node    int // oldest major version of Node.js that can run it
}

var _ tool = npmModule{}

// stamp returns a hash of the lock file. It is the same on all machines.
func (m npmModule) stamp(context.Context) (string, error) {
	hash := sha256.New()
	if err := hashPins(hash, m); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

func (m npmModule) build(ctx context.Context, work, path string) error {
	if err := m.install(ctx, work, m.node); err != nil {
		return err
	}
	return os.Rename(filepath.Join(work, "node_modules", m.entry), path)
}

// command returns the command that runs a script with Node.js. It fails if Node.js is missing or
// too old.
func (m npmModule) command(ctx context.Context, _ string) ([]string, error) {
	return []string{"node"}, m.checkNode(ctx, m.node)
}
