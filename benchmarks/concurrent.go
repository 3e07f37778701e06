package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

const (
	uploads     = 1000
	memoryLimit = 32 << 20 // bytes
)

func concurrentCases() []benchCase {
	rows := []row{{name: ours, setup: inChild(ours), once: true}, {name: goCloudMem, setup: inChild(goCloudMem), once: true}}
	return []benchCase{{
		name:  "uploads-1000",
		title: fmt.Sprintf("%d uploads of 1 KiB and unknown length, all under way at once, parts of 5 MiB, a Memory of %s", uploads, size(memoryLimit)),
		rows:  rows,
		goals: []goal{{fmt.Sprintf("the heap grows by at most the Memory, %s", size(memoryLimit)), func(rows map[string]*result) (string, bool) {
			seen := rows[ours].peak
			return size(seen), seen > 0 && seen <= memoryLimit
		}}},
	}}
}

// A childReport is what a child prints.
type childReport struct {
	PeakHeap uint64 // bytes above the heap before the first upload
}

// childUpload is what a child does, a thousand times at once.
func childUpload(name string) (func(ctx context.Context, key string, body io.Reader) error, error) {
	switch name {
	case ours:
		bucket := memstore.New(storage.WithLayer(likeS3), storage.WithMemory(storage.NewMemory(memoryLimit)))
		return func(ctx context.Context, key string, body io.Reader) error {
			_, err := bucket.Upload(ctx, key, body)
			return err
		}, nil
	case goCloudMem:
		bucket := memblob.OpenBucket(nil)
		return func(ctx context.Context, key string, body io.Reader) error {
			w, err := bucket.NewWriter(ctx, key, nil)
			if err != nil {
				return err
			}
			_, err = io.Copy(w, body)
			return errors.Join(err, w.Close())
		}, nil
	}
	return nil, fmt.Errorf("no child %q", name)
}

func inChild(name string) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		return func(int) error {
			cmd, err := e.child(name)
			if err != nil {
				return err
			}
			out, err := cmd.Output()
			if err != nil {
				return err
			}
			var r childReport
			if err := json.Unmarshal(out, &r); err != nil {
				return err
			}
			e.peaks[name] = float64(r.PeakHeap)
			return nil
		}, nil
	}
}

// runUploads makes all uploads at once and prints what they took.
func runUploads(name string) error {
	upload, err := childUpload(name)
	if err != nil {
		return err
	}
	report, err := uploadAtOnce(upload)
	return errors.Join(err, json.NewEncoder(os.Stdout).Encode(report))
}

// uploadAtOnce makes all uploads at once.
func uploadAtOnce(upload func(ctx context.Context, key string, body io.Reader) error) (childReport, error) {
	start := heap()
	stop, highest := make(chan struct{}), make(chan uint64)
	go watchHeap(stop, highest)

	var under, all sync.WaitGroup
	under.Add(uploads)
	errs := make([]error, uploads)
	for i := range uploads {
		all.Go(func() {
			errs[i] = upload(context.Background(), key(i), &meeting{left: kilobyte, all: &under})
		})
	}
	all.Wait()
	close(stop)
	top := <-highest
	return childReport{PeakHeap: max(top, start) - start}, errors.Join(errs...)
}

// A meeting is a body that ends when all have delivered theirs, so that all
// uploads hold what they hold at one time.
type meeting struct {
	left int
	all  *sync.WaitGroup
	met  bool
}

func (m *meeting) Read(p []byte) (int, error) {
	if m.left > 0 {
		n := min(m.left, len(p))
		m.left -= n
		return n, nil
	}
	if !m.met {
		m.met = true
		m.all.Done()
		m.all.Wait()
	}
	return 0, io.EOF
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// watchHeap looks every millisecond until stop, and says what was the most.
func watchHeap(stop <-chan struct{}, highest chan<- uint64) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	top := heap()
	for {
		select {
		case <-tick.C:
			top = max(top, heap())
		case <-stop:
			highest <- max(top, heap())
			return
		}
	}
}
