package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ensureCached returns the directory with the given name in the cache. If the directory is missing,
// it calls build to fill it. Several processes may call ensureCached at the same time. Only one of
// them builds, and none sees an incomplete directory.
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

	// Another process that builds the same directory waits for this lock.
	path := filepath.Join(cache, name)
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close() // Close also unlocks the file
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Name(), err)
	}

	// The built files of a suite may contain the path of their directory, so they cannot be built
	// elsewhere and then moved. A mark shows that the directory is complete.
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
	start := time.Now()
	if err := build(ctx, path); err != nil {
		return "", err
	}
	logf("built %s in %s", name, time.Since(start).Round(time.Second))
	return path, os.WriteFile(mark, nil, 0o644)
}
