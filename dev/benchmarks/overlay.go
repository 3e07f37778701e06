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
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
)

// The rows of the cases of an overlay, by where the objects are.
const (
	inNewStore = "overlay, objects in the new store"
	inOldStore = "overlay, objects in the old store"
)

// overlayCases compare the calls of an overlay of two stores in memory with those of one store. They count the
// requests of both.
func overlayCases() []benchCase {
	var cases []benchCase
	for _, c := range []struct {
		name, title string
		op          func(e *env, o overlaid) (func(int) error, error)
		rows        []string
	}{
		{"download-1k", "download 1 KiB", overlayDownload, []string{ours, inNewStore, inOldStore}},
		{"upload-1k", "replace 1 KiB", overlayUpload, []string{ours, inNewStore}},
		{"create-1k", "create 1 KiB with IfAbsent, and remove it from its store", overlayCreate, []string{ours, inNewStore}},
		{"list-1000", "list 1,000 keys", overlayList, []string{ours, inNewStore, inOldStore}},
	} {
		b := benchCase{name: "overlay-" + c.name, title: c.title}
		for _, name := range c.rows {
			b.rows = append(b.rows, row{name: name, setup: func(e *env) (func(int) error, error) { return c.op(e, newOverlaid(e, name)) }})
		}
		cases = append(cases, b)
	}
	return cases
}

// An overlaid is a bucket of two stores, and the store, in no layer, in which its objects are put beforehand.
type overlaid struct {
	bucket, objects storage.Bucket
	written         storage.Bucket // the store, in no layer, to which the bucket writes
}

func newOverlaid(e *env, name string) overlaid {
	counted := driver.WithLayer(countingCalls(e))
	oldDriver, newDriver := memstore.NewDriver(memstore.Config{}), memstore.NewDriver(memstore.Config{})
	o := overlaid{objects: engine.New(newDriver), written: engine.New(newDriver)}
	if name == inOldStore {
		o.objects = engine.New(oldDriver)
	}
	if name == ours {
		o.bucket = engine.New(newDriver, noTelemetry(), counted)
		return o
	}
	layer, err := overlay.New(engine.New(oldDriver, noTelemetry(), counted), overlay.Config{})
	exitOn(err)
	o.bucket = engine.New(newDriver, noTelemetry(), counted, driver.WithLayer(layer))
	return o
}

// A callCount is the requests of a case so far.
type callCount struct {
	mu    sync.Mutex
	calls map[string]int
}

// countingCalls returns a layer that counts the requests of the case.
func countingCalls(e *env) driver.Layer {
	const name = "overlay-requests"
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

func (o overlaid) fill(e *env, keys []string) error {
	for _, key := range keys {
		if _, err := o.objects.Upload(e.ctx, key, bytes.NewReader(make([]byte, kilobyte))); err != nil {
			return err
		}
	}
	return nil
}

func overlayDownload(e *env, o overlaid) (func(int) error, error) {
	keys, buffer := keyRing(64), make([]byte, kilobyte)
	return func(n int) error {
		for i := range n {
			r, err := o.bucket.Download(e.ctx, keys[i%len(keys)])
			if err != nil {
				return err
			}
			if err := drain(r, buffer); err != nil {
				return err
			}
		}
		return nil
	}, o.fill(e, keys)
}

func overlayUpload(e *env, o overlaid) (func(int) error, error) {
	keys, data := keyRing(64), make([]byte, kilobyte)
	return func(n int) error {
		for i := range n {
			if _, err := o.bucket.Upload(e.ctx, keys[i%len(keys)], bytes.NewReader(data)); err != nil {
				return err
			}
		}
		return nil
	}, o.fill(e, keys)
}

func overlayCreate(e *env, o overlaid) (func(int) error, error) {
	data := make([]byte, kilobyte)
	return func(n int) error {
		for range n {
			if _, err := o.bucket.Upload(e.ctx, "key", bytes.NewReader(data), storage.IfAbsent()); err != nil {
				return err
			}
			if err := o.written.Remove(e.ctx, "key"); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func overlayList(e *env, o overlaid) (func(int) error, error) {
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%04d", i)
	}
	return func(n int) error {
		for range n {
			for _, err := range o.bucket.List(e.ctx) {
				if err != nil {
					return err
				}
			}
		}
		return nil
	}, o.fill(e, keys)
}
