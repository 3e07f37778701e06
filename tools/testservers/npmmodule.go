package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// An npmModule is a package for Node.js without dependencies, which scripts import.
type npmModule struct {
	npmTool     // entry is its name in node_modules
	node    int // the oldest Node.js that it runs on
}

var _ tool = npmModule{}

// stamp depends only on the lock file, and is the same on all machines.
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

// command returns the command that runs a script that imports the module.
func (m npmModule) command(ctx context.Context, _ string) ([]string, error) {
	return []string{"node"}, m.checkNode(ctx, m.node)
}
