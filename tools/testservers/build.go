package main

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A tool is a program whose version is pinned by files in a subdirectory of this directory.
type tool interface {
	// dir returns the name of the subdirectory, which is also the name of the program.
	dir() string
	// pins returns the names of files in the subdirectory. These files pin the version of the
	// program.
	pins() []string
	// stamp returns a text that changes when the program must be built again.
	stamp(ctx context.Context) (string, error)
	// build builds the program and stores it at path. work is an empty directory for temporary
	// files.
	build(ctx context.Context, work, path string) error
	// command returns the command that runs the program at path, without arguments. It fails if
	// this machine lacks something that the program needs, such as Node.js.
	command(ctx context.Context, path string) ([]string, error)
}

// ensureBuilt returns the path of the program, and builds the program if necessary. Several
// processes may call it at the same time. Only one of them builds, and none sees an incomplete
// program.
func ensureBuilt(ctx context.Context, t tool) (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	stamp, err := t.stamp(ctx)
	if err != nil {
		return "", err
	}

	path := filepath.Join(dir, t.dir()+"-"+stamp)
	isBuilt, err := exists(path)
	if isBuilt || err != nil {
		return path, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}

	// Another process may build the program while this one waits for the lock.
	unlock, err := lock(ctx, filepath.Join(dir, t.dir()+".lock"), func() {
		logf("waiting for another process that builds %s", t.dir())
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	isBuilt, err = exists(path)
	if isBuilt || err != nil {
		return path, err
	}
	return path, buildInto(ctx, t, path)
}

// building is in the middle of the name of a directory in which a build is in progress.
const building = "-building-"

// buildInto builds a tool and stores it at path in one step, so that path is never incomplete. The
// caller must hold the lock of the tool.
func buildInto(ctx context.Context, t tool, path string) error {
	// This process holds the lock, so no other process builds now. A directory of an earlier build
	// belongs to a process that was killed.
	dir := filepath.Dir(path)
	oldDirs, _ := filepath.Glob(filepath.Join(dir, t.dir()+building+"*"))
	for _, old := range oldDirs {
		_ = os.RemoveAll(old)
	}

	work, err := os.MkdirTemp(dir, t.dir()+building+"*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	// The tool is built in the same directory as path, so that it can be renamed to path.
	output := filepath.Join(work, "made", t.dir())
	source := filepath.Join(work, "source")
	for _, dir := range []string{filepath.Dir(output), source} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}

	logf("building %s, which may take some minutes the first time", t.dir())
	start := time.Now()
	if err := t.build(ctx, source, output); err != nil {
		return fmt.Errorf("building %s: %w", t.dir(), errors.Join(err, ctx.Err()))
	}
	logf("built %s in %s", t.dir(), time.Since(start).Round(time.Second))
	return os.Rename(output, path)
}

// hashPins adds the content of the files that pin a tool to a hash.
func hashPins(hash hash.Hash, t tool) error {
	for _, name := range t.pins() {
		content, err := os.ReadFile(filepath.Join(t.dir(), name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w (run testservers in its own directory, with go run -C tools/testservers)", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	return nil
}

// interruptibleCommand returns a command that runs in dir as a part of a build, and prints to
// standard error. When ctx is done, the command receives an interrupt.
func interruptibleCommand(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = stopTimeout
	return command
}
