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

// A tool is a program that a directory beside this one pins, with the lock
// files of whatever it is written in.
type tool interface {
	// dir is the directory, and the name by which the program is told of.
	dir() string
	// pins are the files there that say what is built.
	pins() []string
	// stamp is different where another program would be built.
	stamp(ctx context.Context) (string, error)
	// build makes the program at path; work is an empty directory for it.
	build(ctx context.Context, work, path string) error
	// command is how the program at path is run, without its own arguments.
	// An error says what this machine lacks for it.
	command(ctx context.Context, path string) ([]string, error)
}

// locate is where the program lies, built if it was not. Any number of
// processes may ask at once: one builds, and what they find is whole.
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
	if found, err := exists(path); found || err != nil {
		return path, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(dir, t.dir()+".lock"), func() {
		logf("waiting for another process, which builds %s", t.dir())
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if found, err := exists(path); found || err != nil {
		return path, err // that other process was for the same
	}
	return path, buildInto(ctx, t, path)
}

// building is in the name of a directory in which a build is under way.
const building = "-building-"

// buildInto makes path, in one step. The tool's lock is held.
func buildInto(ctx context.Context, t tool, path string) error {
	dir := filepath.Dir(path)
	killed, _ := filepath.Glob(filepath.Join(dir, t.dir()+building+"*"))
	for _, left := range killed {
		_ = os.RemoveAll(left) // nobody else builds: they were killed
	}
	work, err := os.MkdirTemp(dir, t.dir()+building+"*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	made := filepath.Join(work, "made", t.dir())
	source := filepath.Join(work, "source")
	for _, dir := range []string{filepath.Dir(made), source} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	logf("building %s: once, which can take some minutes", t.dir())
	started := time.Now()
	if err := t.build(ctx, source, made); err != nil {
		return fmt.Errorf("building %s: %w", t.dir(), errors.Join(err, ctx.Err()))
	}
	logf("built %s in %s", t.dir(), time.Since(started).Round(time.Second))
	return os.Rename(made, path)
}

// hashPins has the stamp depend on what a tool's files say.
func hashPins(hash hash.Hash, t tool) error {
	for _, name := range t.pins() {
		content, err := os.ReadFile(filepath.Join(t.dir(), name))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: testservers runs in its own directory, by go run -C testservers", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	return nil
}

// interruptible is a command of a build in dir, which ends when ctx does. What
// it says goes where the progress of builds goes.
func interruptibleCommand(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = dir
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = stopTimeout
	return command
}
