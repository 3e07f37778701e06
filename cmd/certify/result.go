package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/storagetest"
)

// A result is the file that a user sends in. It has no credentials: an address has none.
type result struct {
	Address  string    `json:"address"`
	Began    time.Time `json:"began"`
	Seconds  float64   `json:"seconds"`
	Version  string    `json:"version"` // of the library
	Go       string    `json:"go"`
	System   string    `json:"system"`
	Rules    string    `json:"rules,omitempty"` // "" means all
	Locks    bool      `json:"locks"`
	Failed   []string  `json:"failed,omitempty"` // cases
	Requests int64     `json:"requests"`         // to objects, by operations of the library
	Bytes    int64     `json:"bytes"`            // of their bodies, in both directions
	Speed    *speed    `json:"speed,omitempty"`

	Suites []storagetest.Support `json:"suites,omitempty"` // none if a case failed
}

func (c *certification) write(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.failed)
	r := result{
		Address: c.address, Began: c.began.UTC().Truncate(time.Second), Seconds: time.Since(c.began).Seconds(),
		Version: version(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH,
		Rules: c.rules, Locks: c.locks, Failed: c.failed, Requests: c.requests.Load(), Bytes: c.bytes.Load(),
	}
	if c.speed.UploadMBps > 0 {
		r.Speed = &c.speed
	}
	files, err := filepath.Glob(filepath.Join(c.dir, "*.json"))
	require.NoError(t, err)
	for _, file := range files {
		var s storagetest.Support
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &s))
		r.Suites = append(r.Suites, s)
	}
	data, err := json.MarshalIndent(r, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(c.out, append(data, '\n'), 0o600))
	require.NoError(t, os.RemoveAll(c.dir))
	require.NoError(t, errors.Join(c.driver.Close(), c.service.Close()))
	fmt.Printf("%d requests, %d MiB, %d cases failed. The result is in %s\n", r.Requests, r.Bytes>>20, len(c.failed), c.out)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return info.Main.Version
}
