package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ensureCached returns the directory of that name in the cache, and makes it if it is
// missing. Several processes may call it at the same time: one makes it, and none sees an
// incomplete directory.
func ensureCached(ctx context.Context, name string, build func(ctx context.Context, dir string) error) (string, error) {
	base := os.Getenv("OMNIBUCKET_CACHE")
	if base == "" {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("set OMNIBUCKET_CACHE: %w", err)
		}
	}
	cache, err := filepath.Abs(filepath.Join(base, "omnibucket", "judges"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(cache, name)
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // which also unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	// A suite may contain its own path, so that it is built in place. The mark says that it
	// is complete.
	mark := path + ".complete"
	if _, err := os.Stat(mark); err == nil {
		return path, nil
	}
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return "", err
	}
	logf("building %s, which may take some minutes the first time", name)
	begun := time.Now()
	if err := build(ctx, path); err != nil {
		return "", err
	}
	logf("built %s in %s", name, time.Since(begun).Round(time.Second))
	return path, os.WriteFile(mark, nil, 0o644)
}
