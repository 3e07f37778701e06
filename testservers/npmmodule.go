package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
)

// An npmModule is a package for Node.js without packages of its own, which
// scripts import as npm installs it.
type npmModule struct {
	npmTool     // its directory, and its name under node_modules as the entry
	node    int // the oldest Node.js that it runs on
}

var _ tool = npmModule{}

// stamp is of the lock file: it is the same for every machine.
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

// command is what runs a script that imports it.
func (m npmModule) command(ctx context.Context, _ string) ([]string, error) {
	return []string{"node"}, m.checkNode(ctx, m.node)
}
