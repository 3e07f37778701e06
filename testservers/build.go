package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// A goTool is a program that a module in a directory beside this one pins, by
// its go.mod and go.sum.
type goTool struct {
	module string // the directory
	pkg    string
}

// buildFlags are part of what a build is known by. Modules are never changed.
var buildFlags = []string{"-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"}

// path is where the program lies, built if it was not. Any number of processes
// may ask at once: one builds, and what they find is whole.
func (g goTool) path(ctx context.Context) (string, error) {
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	stamp, err := g.stamp(ctx)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, g.module+"-"+stamp)
	if found, err := exists(path); found || err != nil {
		return path, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, filepath.Join(dir, g.module+".lock"), func() {
		say("waiting for another process, which builds %s", g.module)
	})
	if err != nil {
		return "", err
	}
	defer unlock()
	if found, err := exists(path); found || err != nil {
		return path, err // that other process was for the same
	}
	return path, g.build(ctx, path)
}

// build makes path, in one step.
func (g goTool) build(ctx context.Context, path string) error {
	work, err := os.MkdirTemp(filepath.Dir(path), g.module+"-building-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	built := filepath.Join(work, g.module)
	say("building %s: once, which takes some minutes", g.module)
	started := time.Now()
	build := g.goCommand(ctx, append(append([]string{"build"}, buildFlags...), "-o", built, g.pkg)...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building %s: %w", g.module, errors.Join(err, ctx.Err()))
	}
	say("built %s in %s", g.module, time.Since(started).Round(time.Second))
	return os.Rename(built, path)
}

// stamp is different where another program would be built: by another version
// of anything, another Go, another machine.
func (g goTool) stamp(ctx context.Context) (string, error) {
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(g.module, name))
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%w: testservers runs in its own directory, by go run -C testservers", err)
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	toolchain, err := g.goCommand(ctx, "env", "GOVERSION", "GOOS", "GOARCH").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	fmt.Fprintf(hash, "%s %s %q", toolchain, g.pkg, buildFlags)
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

func (g goTool) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = g.module
	command.Env = append(command.Environ(), "CGO_ENABLED=0") // no C compiler is needed
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	return command
}

// cacheDir is where programs are kept, outside the tree.
func cacheDir() (string, error) {
	base := os.Getenv("OMNIBUCKET_CACHE")
	if base == "" {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("set OMNIBUCKET_CACHE: %w", err)
		}
	}
	return filepath.Abs(filepath.Join(base, "omnibucket", "testservers"))
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// lockPoll is how often a lock that another process holds is asked for again.
const lockPoll = 200 * time.Millisecond

// lock takes the lock of a file, which ends with the process at the latest;
// waiting is told once, where another has it.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for told := false; ; told = true {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !told {
			waiting()
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "testservers: "+format+"\n", args...)
}
