package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// These are the names of an overlay's rows. They say in which of its stores the objects are.
const (
	inNewStore = "overlay, objects in the new store"
	inOldStore = "overlay, objects in the old store"
)

// These are the names of a mirror's rows.
const (
	mirrored       = "mirror"
	withoutPrimary = "mirror, the primary is down"
)

// A twoStoresCase compares a call on a layer over two in-memory stores with the same call on one
// in-memory store.
type twoStoresCase struct {
	name, title string
	setup       setupWith[twoStores]
	rows        []string
}

// overlayCases returns the cases that compare an overlay with a single store. They count the
// requests to both stores of the overlay.
func overlayCases() []benchCase {
	return twoStoresCases("overlay-", newOverlaid, []twoStoresCase{
		{"download-1k", "download 1 KiB", download1k, []string{inNewStore, inOldStore}},
		{"upload-1k", "replace 1 KiB", upload1k, []string{inNewStore}},
		{"create-1k", "create 1 KiB with IfAbsent, and remove it from its store", create1k, []string{inNewStore}},
		{"list-1000", "list 1,000 keys", list1000, []string{inNewStore, inOldStore}},
	})
}

// mirrorCases returns the cases that compare a mirror with a single store. They count the requests
// to both stores of the mirror.
func mirrorCases() []benchCase {
	return twoStoresCases("mirror-", newMirrored, []twoStoresCase{
		{"download-1k", "download 1 KiB", download1k, []string{mirrored, withoutPrimary}},
		{"upload-1k", "replace 1 KiB", upload1k, []string{mirrored}},
		{"list-1000", "list 1,000 keys", list1000, []string{mirrored, withoutPrimary}},
	})
}

// twoStoresCases returns a case for each call. Its first row is one store without a layer. open
// opens the two stores with a layer for each other row of the case.
func twoStoresCases(prefix string, open func(e *env, row string) twoStores, calls []twoStoresCase) []benchCase {
	cases := make([]benchCase, len(calls))
	for i, c := range calls {
		cases[i] = benchCase{
			name:  prefix + c.name,
			title: c.title,
			rows: []row{
				{name: ours, setup: func(e *env) (opFunc, error) { return c.setup(e, newOneStore(e)) }},
			},
		}
		for _, name := range c.rows {
			cases[i].rows = append(
				cases[i].rows,
				row{name: name, setup: func(e *env) (opFunc, error) { return c.setup(e, open(e, name)) }},
			)
		}
	}
	return cases
}

// A twoStores has the bucket that a case measures, which may have an overlay or a mirror. The other
// fields give direct access to one of the two stores below this bucket. Before the measurement, the
// case writes its objects to twoStores.objects.
type twoStores struct {
	bucket, objects storage.Bucket
	written         storage.Bucket // store to which an upload to the bucket goes; nil for a mirror
}

func newOneStore(e *env) twoStores {
	d := memstore.NewDriver(memstore.Config{})
	alone := engine.New(d)
	return twoStores{
		bucket:  engine.New(d, noTelemetry(), driver.WithLayer(countingCalls(e))),
		objects: alone,
		written: alone,
	}
}

// newOverlaid returns a bucket over a new store with an overlay over an old store. The case stores its
// objects in the new store, except in the row inOldStore.
func newOverlaid(e *env, name string) twoStores {
	counted := driver.WithLayer(countingCalls(e))
	oldDriver := memstore.NewDriver(memstore.Config{})
	newDriver := memstore.NewDriver(memstore.Config{})
	layer, err := overlay.New(engine.New(oldDriver, noTelemetry(), counted), overlay.Config{})
	exitOn(err)
	s := twoStores{
		bucket:  engine.New(newDriver, noTelemetry(), counted, driver.WithLayer(layer)),
		written: engine.New(newDriver),
	}
	s.objects = s.written
	if name == inOldStore {
		s.objects = engine.New(oldDriver)
	}
	return s
}

// newMirrored returns a bucket with a mirror. The case stores its objects in the first store. In
// the row withoutPrimary, every request to the first store fails, and the case stores its objects
// in the second store.
func newMirrored(e *env, name string) twoStores {
	counted := driver.WithLayer(countingCalls(e))
	first := memstore.NewDriver(memstore.Config{})
	second := memstore.NewDriver(memstore.Config{})
	layer, err := mirror.New(engine.New(second, noTelemetry(), counted), mirror.Config{})
	exitOn(err)

	m := twoStores{objects: engine.New(first)}
	opts := []storage.OpenOption{noTelemetry(), counted}
	if name == withoutPrimary {
		m.objects = engine.New(second)
		// The faults are the innermost layer, so that requests that fail count, too.
		down := faults.New(faults.Fail(faults.Any))
		opts = append([]storage.OpenOption{driver.WithLayer(down.Layer())}, opts...)
	}
	m.bucket = engine.New(first, append(opts, driver.WithLayer(layer))...)
	return m
}

// A callCount counts the requests of a case, by operation.
type callCount struct {
	mu    sync.Mutex
	calls map[string]int
}

// countingCalls returns a layer that counts the requests to a driver in the counts of the case.
func countingCalls(e *env) driver.Layer {
	const name = "requests-of-two-stores"
	count, ok := e.shared[name].(*callCount)
	if !ok {
		count = &callCount{calls: map[string]int{}}
		e.shared[name] = count
		e.requests = func() (map[string]int, error) {
			count.mu.Lock()
			defer count.mu.Unlock()
			return maps.Clone(count.calls), nil
		}
	}
	return func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
			count.mu.Lock()
			count.calls[call]++
			count.mu.Unlock()
			return next(ctx)
		})
	}
}

// fill stores objects of 1 KiB with the given keys, before the measurement.
func (s twoStores) fill(e *env, keys []string) error {
	for _, key := range keys {
		if _, err := s.objects.Upload(e.ctx, key, bytes.NewReader(make([]byte, kilobyte))); err != nil {
			return err
		}
	}
	return nil
}

// download1k returns an op that reads objects of 1 KiB.
func download1k(e *env, s twoStores) (opFunc, error) {
	keys := keyRing(64)
	if err := s.fill(e, keys); err != nil {
		return nil, err
	}
	buffer := make([]byte, kilobyte)
	return func(n int) error {
		for i := range n {
			r, err := s.bucket.Download(e.ctx, keys[i%len(keys)])
			if err != nil {
				return err
			}
			if err := drain(r, buffer); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// upload1k returns an op that replaces objects of 1 KiB.
func upload1k(e *env, s twoStores) (opFunc, error) {
	keys := keyRing(64)
	if err := s.fill(e, keys); err != nil {
		return nil, err
	}
	data := make([]byte, kilobyte)
	return func(n int) error {
		for i := range n {
			if _, err := s.bucket.Upload(e.ctx, keys[i%len(keys)], bytes.NewReader(data)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// create1k returns an op that creates an object, and removes it without the layer, so that the next
// operation can create it again.
func create1k(e *env, s twoStores) (opFunc, error) {
	data := make([]byte, kilobyte)
	return repeated(func() error {
		if _, err := s.bucket.Upload(e.ctx, "key", bytes.NewReader(data), storage.IfAbsent()); err != nil {
			return err
		}
		return s.written.Remove(e.ctx, "key")
	}), nil
}

// list1000 returns an op that lists 1,000 keys.
func list1000(e *env, s twoStores) (opFunc, error) {
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%04d", i)
	}
	if err := s.fill(e, keys); err != nil {
		return nil, err
	}
	return repeated(func() error {
		for _, err := range s.bucket.List(e.ctx) {
			if err != nil {
				return err
			}
		}
		return nil
	}), nil
}
