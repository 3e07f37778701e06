package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed awscommand.sh
var awsCommandScript []byte

// prepareCommand returns the path of AWS's command line, of either version.
func prepareCommand(context.Context) (string, error) {
	path, err := exec.LookPath("aws")
	if err != nil {
		return "", fmt.Errorf("install the AWS command line, which Debian has as awscli: %w", err)
	}
	return path, nil
}

// runCommand runs our own short tests with the AWS command line.
func runCommand(ctx context.Context, t task) ([]result, error) {
	file := filepath.Join(t.dir, "test.sh")
	if err := os.WriteFile(file, awsCommandScript, 0o644); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.command(ctx, t.dir, []string{"AWS_PAGER="}, &out, "bash", file); err != nil {
		return nil, err
	}
	return readTAP(out.Bytes()), nil
}
