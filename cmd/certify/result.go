package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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

// A result is the content of the file that the program writes, which a user may send to the
// maintainers. It contains no credentials, because the address of an account has none.
type result struct {
	Address  string    `json:"address"`
	Began    time.Time `json:"began"`
	Seconds  float64   `json:"seconds"`
	Version  string    `json:"version"` // version of the library
	Go       string    `json:"go"`
	System   string    `json:"system"`
	Rules    string    `json:"rules,omitempty"` // "" means all
	Locks    bool      `json:"locks"`
	Failed   []string  `json:"failed,omitempty"` // names of cases
	Requests int64     `json:"requests"`         // requests that the library's object operations made
	Bytes    int64     `json:"bytes"`            // bytes of request and response bodies
	Speed    *speed    `json:"speed,omitempty"`

	Questions []answer              `json:"questions,omitempty"`
	Suites    []storagetest.Support `json:"suites,omitempty"` // nil if a case failed
}

// finish deletes the buckets that still exist, and writes the recording and the result.
func (c *certification) finish(t *testing.T) {
	deleteErr := c.deleteBuckets(context.WithoutCancel(t.Context()))
	if deleteErr != nil {
		fmt.Fprintln(os.Stderr, "certify:", deleteErr)
	}

	if c.recorder != nil {
		c.writeRecording(t)
	}
	if c.interrupted.Load() {
		fmt.Fprintln(os.Stderr, "certify: interrupted; no result was written")
		t.Fail()
	} else {
		c.write(t)
		c.printAnswers()
	}

	require.NoError(t, os.RemoveAll(c.dir))
	require.NoError(t, errors.Join(c.driver.Close(), c.service.Close()))

	// With -locks, a locked object may be the reason that a bucket stays.
	if deleteErr != nil && !c.locks {
		t.Fail()
	}
}

// writeRecording writes the recording. If that fails, it fails the test, but the result can still be
// written.
func (c *certification) writeRecording(t *testing.T) {
	written, left, err := c.recorder.Write()
	if err != nil {
		fmt.Fprintln(os.Stderr, "certify: the recording cannot be written:", err)
		t.Fail()
		return
	}
	fmt.Printf("%d exchanges are in %s; %d with a large body or a secret were left out.\n", written, c.record, left)
}

// write writes the result to the file c.out. If that fails, it prints the result instead and fails the
// test.
func (c *certification) write(t *testing.T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.failed)

	r := result{
		Address:   c.address,
		Began:     c.began.UTC().Truncate(time.Second),
		Seconds:   time.Since(c.began).Seconds(),
		Version:   version(),
		Go:        runtime.Version(),
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		Rules:     c.rules,
		Locks:     c.locks,
		Questions: c.answers,
		Failed:    c.failed,
		Requests:  c.requests.Load(),
		Bytes:     c.bytes.Load(),
	}
	// A run that has measured no speed leaves it out.
	if c.speed.UploadMBps > 0 {
		r.Speed = &c.speed
	}

	r.Suites = c.readSuites(t)

	data, err := json.MarshalIndent(r, "", "\t")
	require.NoError(t, err)

	where := "in " + c.out
	if err := os.WriteFile(c.out, append(data, '\n'), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, "certify: the result cannot be written:", err)
		fmt.Printf("%s\n", data)
		where = "above"
		t.Fail()
	}
	fmt.Printf("%d requests, %d MiB, %d cases failed. The result is %s\n", r.Requests, r.Bytes>>20, len(c.failed), where)
}

// readSuites reads the results that the suites have written to files, without the cases that the flags
// exclude.
func (c *certification) readSuites(t *testing.T) []storagetest.Support {
	files, err := filepath.Glob(filepath.Join(c.dir, "*.json"))
	require.NoError(t, err)

	var suites []storagetest.Support
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var suite storagetest.Support
		require.NoError(t, json.Unmarshal(data, &suite))
		maps.DeleteFunc(suite.Without, func(_, reason string) bool { return reason == notAsked })
		suites = append(suites, suite)
	}
	return suites
}

// checkWritable fails if a file cannot be written. It neither changes the file nor leaves a new one.
func checkWritable(path string) error {
	_, err := os.Stat(path)
	isNew := errors.Is(err, fs.ErrNotExist)

	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = f.Close()
	if isNew {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// version returns the commit from which the program was built, or else the version of its module.
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
