package main

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// The rows of the cases of a mirror.
const (
	mirrored       = "mirror"
	withoutPrimary = "mirror, the primary is down"
)

// mirrorCases compare the calls of a mirror of two stores in memory with those of one store, as overlayCases
// do.
func mirrorCases() []benchCase {
	var cases []benchCase
	for _, c := range []struct {
		name, title string
		op          func(e *env, o overlaid) (func(int) error, error)
		rows        []string
	}{
		{"download-1k", "download 1 KiB", overlayDownload, []string{ours, mirrored, withoutPrimary}},
		{"upload-1k", "replace 1 KiB", overlayUpload, []string{ours, mirrored}},
		{"list-1000", "list 1,000 keys", overlayList, []string{ours, mirrored, withoutPrimary}},
	} {
		b := benchCase{name: "mirror-" + c.name, title: c.title}
		for _, name := range c.rows {
			b.rows = append(b.rows, row{name: name, setup: func(e *env) (func(int) error, error) {
				if name == ours {
					return c.op(e, newOverlaid(e, name))
				}
				return c.op(e, newMirrored(e, name))
			}})
		}
		cases = append(cases, b)
	}
	return cases
}

// newMirrored returns a mirror whose objects are put into the store that answers.
func newMirrored(e *env, name string) overlaid {
	counted := driver.WithLayer(countingCalls(e))
	first, second := memstore.NewDriver(memstore.Config{}), memstore.NewDriver(memstore.Config{})
	layer, err := mirror.New(engine.New(second, noTelemetry(), counted), mirror.Config{})
	exitOn(err)
	opts := []storage.OpenOption{noTelemetry(), counted}
	m := overlaid{objects: engine.New(first)}
	if name == withoutPrimary {
		down := faults.New(faults.Fail(faults.Any))
		m.objects, opts = engine.New(second), append([]storage.OpenOption{driver.WithLayer(down.Layer())}, opts...)
	}
	m.bucket = engine.New(first, append(opts, driver.WithLayer(layer))...)
	return m
}
