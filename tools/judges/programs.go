package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programScripts contains our own short tests of released programs, as shell scripts.
//
//go:embed programs
var programScripts embed.FS

// released returns a suite that tests a released program. The program is the first of paths that
// exists on this machine.
func released(name, script string, paths ...string) suite {
	return suite{
		name: name,
		prepare: func(context.Context) (string, error) {
			var lastErr error
			for _, candidate := range paths {
				path, err := exec.LookPath(candidate)
				if err == nil {
					return path, nil
				}
				lastErr = err
			}
			return "", fmt.Errorf("install the package of Debian: %w", lastErr)
		},
		run: func(ctx context.Context, t task) ([]result, error) { return t.script(ctx, script) },
	}
}

// script runs a script of programScripts. The script prints its results in the format of the Test
// Anything Protocol.
func (t task) script(ctx context.Context, name string, env ...string) ([]result, error) {
	for _, file := range []string{name, "tap.sh"} {
		content, err := programScripts.ReadFile("programs/" + file)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(t.dir, file), content, 0o644); err != nil {
			return nil, err
		}
	}
	env = append(env, "AWS_PAGER=", "PROGRAM="+t.suitePath, "ONLY_BUCKET="+t.server.bucket)
	output, err := t.command(ctx, t.dir, env, "bash", name)
	if err != nil {
		return nil, err
	}
	return readTAP(output), nil
}

// runOpenTofu creates a bucket, because the backend of OpenTofu does not, and runs the script of
// OpenTofu.
func runOpenTofu(ctx context.Context, t task) ([]result, error) {
	client, err := t.server.client()
	if err != nil {
		return nil, err
	}
	bucket := t.bucket("opentofu")
	if err := makeBucket(ctx, client, bucket, false); err != nil {
		return nil, err
	}
	return t.script(ctx, "opentofu.sh", "BUCKET="+bucket)
}
