package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
)

// An npmScripts is a set of packages for browsers. Each package is bundled into a script NAME.js,
// and all scripts are in one directory. entry of npmTool is not used.
type npmScripts struct {
	npmTool
	entries []string // each has the form NAME=PACKAGE
}

var _ tool = npmScripts{}

func (s npmScripts) stamp(context.Context) (string, error) {
	hash := sha256.New()
	if err := hashPins(hash, s); err != nil {
		return "", err
	}
	fmt.Fprintf(hash, "%q", s.flags(""))
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

func (s npmScripts) build(ctx context.Context, work, path string) error {
	if err := s.install(ctx, work, nodeMajor); err != nil {
		return err
	}
	esbuild := filepath.Join(work, "node_modules", ".bin", "esbuild")
	if err := interruptibleCommand(ctx, work, esbuild, s.flags(path)...).Run(); err != nil {
		return fmt.Errorf("esbuild: %w", err)
	}
	return nil
}

func (s npmScripts) flags(path string) []string {
	return append(
		[]string{"--outdir=" + path, "--bundle", "--splitting", "--format=esm", "--target=es2022", "--log-level=error"},
		s.entries...)
}

// command returns nothing, because a browser runs the scripts, and not this program.
func (s npmScripts) command(context.Context, string) ([]string, error) { return nil, nil }
