package locations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
)

// Layers are the open layers of a location. The first layer is next to the store. Close them after
// the bucket.
type Layers struct {
	Layers []driver.Layer

	closers []io.Closer
	once    sync.Once
	err     error
}

// OpenLayers opens the layers of a location, but not the bucket. Use it in a program that opens the
// bucket with [storage.Open]. name is the name of the location for errors, or "".
// OpenLayers fails with the same errors as [Config.Open].
func (c *Config) OpenLayers(ctx context.Context, name string, l Location) (*Layers, error) {
	address, err := l.inEffect()
	if err != nil {
		return nil, c.of(name, 0, err, "")
	}
	return c.openLayers(ctx, &found{location: l, name: name, address: address}, true)
}

// Close closes the caches and the second stores of the layers.
func (o *Layers) Close() error {
	o.once.Do(func() {
		for _, closer := range slices.Backward(o.closers) {
			o.err = errors.Join(o.err, closer.Close())
		}
	})
	return o.err
}

// options returns the options that open a bucket with the layers. Closing that bucket also closes
// the layers.
func (o *Layers) options() []storage.OpenOption {
	var opts []storage.OpenOption
	for _, layer := range o.Layers {
		opts = append(opts, driver.WithLayer(layer))
	}
	if len(o.closers) > 0 {
		opts = append(opts, driver.WithLayer(func(d driver.Driver) driver.Driver { return closingDriver{d, o} }))
	}
	return opts
}

// A closingDriver closes the layers after it has closed the driver.
type closingDriver struct {
	driver.Driver
	layers io.Closer
}

func (d closingDriver) Close() error { return errors.Join(d.Driver.Close(), d.layers.Close()) }

// An openBucket is the second store of a layer, as an [io.Closer].
type openBucket struct{ storage.Bucket }

func (b openBucket) Close() error { return storage.Close(b.Bucket) }

// configure reads and checks the layers of a location. If relations is true, it also checks the
// other locations that the layers name, such as a second store.
func (c *Config) configure(l *found, relations bool) ([]*driver.ConfiguredLayer, error) {
	var configured []*driver.ConfiguredLayer
	others := map[string]bool{}
	for i, layer := range l.location.Layers {
		conf, err := driver.ConfigureLayer(layer.Name, c.settings(layer))
		if err == nil && conf.Other != "" && !IsName(conf.Other) {
			err = invalid("the second store must be the name of a location", "")
		}
		if err == nil && relations {
			err = c.checkLayer(l, conf, others)
		}
		if err != nil {
			return nil, c.inLayer(l, i, err)
		}
		configured = append(configured, conf)
	}
	if name := twice(l.location.Layers); name != "" {
		return nil, c.of(l.name, 0, fmt.Errorf("layers must have %s only once", name), "remove one of them")
	}
	if relations {
		if err := c.checkDirectories(l, configured); err != nil {
			return nil, c.of(l.name, 0, err, "")
		}
	}
	return configured, nil
}

// inLayer adds the place of layer i to an error. It adds the layer's name only if a layer with this
// name is registered.
func (c *Config) inLayer(l *found, i int, err error) error {
	layer := l.location.Layers[i]
	// If no layer with this name is registered, the error does not quote the name. The name may be
	// a secret in the wrong place.
	if registered, _ := driver.KnowsLayer(layer.Name); registered {
		err = argument.Within("layer "+layer.Name, err)
	}
	return c.of(l.name, layer.line, err, "")
}

// checkDirectories refuses a layer that keeps its files in the directory of a store, because they
// would become objects of that store.
func (c *Config) checkDirectories(l *found, layers []*driver.ConfiguredLayer) error {
	stores := []string{l.directory()}
	for _, layer := range layers {
		if other, err := c.find(layer.Other); layer.Other != "" && err == nil {
			stores = append(stores, other.directory())
		}
	}
	for _, layer := range layers {
		for _, dir := range stores {
			if dir != "" && layer.Directory != "" && overlaps(layer.Directory, dir) {
				return invalid(
					"the directory of a cache must not overlap with that of the location or of its second store",
					"name a directory outside of them",
				)
			}
		}
	}
	return nil
}

// checkLayer refuses a location that cannot be the second store of a layer. others
// has the addresses of the second stores of earlier layers.
func (c *Config) checkLayer(l *found, layer *driver.ConfiguredLayer, others map[string]bool) error {
	if layer.Other == "" {
		return nil
	}

	if Variable(layer.Other) == Variable(l.name) {
		return invalid("the second store must be another location", "")
	}
	if _, ok := c.own(layer.Other); !ok {
		// The error does not quote the name. Somebody may have written a secret in place of the
		// name.
		if _, set := c.lookup(Variable(layer.Other)); !set {
			return invalid("the second store must be a known location: "+c.someNames(), "")
		}
	}

	other, err := c.find(layer.Other)
	if err != nil {
		return err
	}

	local := l.directory()
	dir := other.directory()
	if len(other.location.Layers) > 0 {
		return invalid("the second store must be a location of a whole bucket without layers", "")
	}
	if hasPrefix(other.address) {
		return invalid("the second store must be a location of a whole bucket without layers", "leave its prefix out")
	}
	if other.address == l.address || local != "" && dir != "" && overlaps(local, dir) {
		return invalid("the two stores must not be the same bucket, nor one in the other", "")
	}

	if others[other.address] {
		return invalid("mirror and overlay must name different stores",
			"name another location in one of them, or remove one")
	}
	others[other.address] = true
	return nil
}

func hasPrefix(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Query().Has("prefix")
}

// openLayers opens the layers of a location. If bucket is false, the location is an account.
func (c *Config) openLayers(ctx context.Context, l *found, bucket bool) (*Layers, error) {
	configured, err := c.configure(l, true)
	if err != nil {
		return nil, err
	}
	open := &Layers{}
	for i, layer := range configured {
		if layer.Other != "" && !bucket {
			err = invalid("a location with the layer mirror or overlay must be one bucket",
				"buckets of an account would share the other store")
		} else {
			err = c.openLayer(ctx, layer, open)
		}
		if err != nil {
			_ = open.Close()
			return nil, c.inLayer(l, i, err)
		}
	}
	return open, nil
}

func (c *Config) openLayer(ctx context.Context, layer *driver.ConfiguredLayer, open *Layers) error {
	parts := driver.LayerParts{Lookup: c.lookup}
	if layer.Other != "" {
		other, err := c.find(layer.Other)
		if err != nil {
			return err
		}
		if parts.Other, err = c.openBucket(ctx, other.address); err != nil {
			return err
		}
		open.closers = append(open.closers, openBucket{parts.Other})
		if err := storage.Require(parts.Other, other.location.Features()); err != nil {
			return err
		}
	}
	drv, closer, err := layer.Open(ctx, parts)
	if err != nil {
		return err
	}
	open.Layers = append(open.Layers, drv)
	if closer != nil {
		open.closers = append(open.closers, closer)
	}
	return nil
}
