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

// OpenLayers opens the layers of a location, but not the bucket, which the program opens itself with
// [storage.Open]. name is the name of the location for errors, or "". OpenLayers fails with the same
// errors as [Config.Open].
func (c *Config) OpenLayers(ctx context.Context, name string, loc Location) (*Layers, error) {
	address, err := loc.openAddress()
	if err != nil {
		return nil, c.locate(name, 0, err, "")
	}
	return c.openLayers(ctx, &namedLocation{location: loc, name: name, address: address}, true)
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

// options returns the options that open a bucket with the layers. Closing that bucket also closes the
// layers.
func (o *Layers) options() []storage.OpenOption {
	var opts []storage.OpenOption
	for _, layer := range o.Layers {
		opts = append(opts, driver.WithLayer(layer))
	}
	if len(o.closers) > 0 {
		opts = append(opts, driver.WithLayer(func(d driver.Driver) driver.Driver {
			return closingDriver{d, o}
		}))
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

// configure reads and checks the layers of a location, and returns them in their order. If withOthers is
// true, it also checks the other locations that the layers name, such as a second store.
func (c *Config) configure(loc *namedLocation, withOthers bool) ([]*driver.ConfiguredLayer, error) {
	var configured []*driver.ConfiguredLayer
	others := map[string]bool{}
	for i, layer := range loc.location.Layers {
		configuredLayer, err := c.configureLayer(layer)
		if err != nil {
			return nil, c.layerError(loc, i, err)
		}
		if withOthers {
			if err := c.checkSecondStore(loc, configuredLayer, others); err != nil {
				return nil, c.layerError(loc, i, err)
			}
		}
		configured = append(configured, configuredLayer)
	}

	if name := repeatedName(loc.location.Layers); name != "" {
		return nil, c.locate(loc.name, 0, fmt.Errorf("layers must have %s only once", name), "remove one of them")
	}
	if withOthers {
		if err := c.checkDirectories(loc, configured); err != nil {
			return nil, c.locate(loc.name, 0, err, "")
		}
	}
	return configured, nil
}

// configureLayer reads and checks the settings of one layer.
func (c *Config) configureLayer(layer Layer) (*driver.ConfiguredLayer, error) {
	configured, err := driver.ConfigureLayer(layer.Name, c.settings(layer))
	if err != nil {
		return nil, err
	}
	if configured.Other != "" && !IsName(configured.Other) {
		return nil, invalid("the second store must be the name of a location", "")
	}
	return configured, nil
}

// layerError adds the place of layer i to an error, and its name if a layer with this name is
// registered. Any other name is not quoted, because it may be a secret in the wrong place.
func (c *Config) layerError(loc *namedLocation, i int, err error) error {
	layer := loc.location.Layers[i]
	if registered, _ := driver.KnowsLayer(layer.Name); registered {
		err = argument.Within("layer "+layer.Name, err)
	}
	return c.locate(loc.name, layer.line, err, "")
}

// checkDirectories refuses a layer that keeps its files in the directory of a store, where they would
// become objects of that store.
func (c *Config) checkDirectories(loc *namedLocation, layers []*driver.ConfiguredLayer) error {
	stores := c.storeDirectories(loc, layers)
	for _, layer := range layers {
		if layer.Directory == "" {
			continue
		}
		overlapsStore := slices.ContainsFunc(stores, func(dir string) bool { return overlaps(layer.Directory, dir) })
		if overlapsStore {
			return invalid(
				"the directory of a cache must not overlap with that of the location or of its second store",
				"name a directory outside of them",
			)
		}
	}
	return nil
}

// storeDirectories returns the local directories of the location and of the second stores of its layers.
func (c *Config) storeDirectories(loc *namedLocation, layers []*driver.ConfiguredLayer) []string {
	var dirs []string
	if dir := loc.directory(); dir != "" {
		dirs = append(dirs, dir)
	}
	for _, layer := range layers {
		if layer.Other == "" {
			continue
		}
		other, err := c.find(layer.Other)
		if err != nil {
			// Opening the layer returns this error.
			continue
		}
		if dir := other.directory(); dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// checkSecondStore refuses a location that cannot be the second store of a layer. others contains the
// addresses of the second stores of earlier layers, and gets that of this layer.
func (c *Config) checkSecondStore(loc *namedLocation, layer *driver.ConfiguredLayer, others map[string]bool) error {
	if layer.Other == "" {
		return nil
	}
	if Variable(layer.Other) == Variable(loc.name) {
		return invalid("the second store must be another location", "")
	}

	if _, isConfigured := c.configuredLocation(layer.Other); !isConfigured {
		// The error does not quote the name, in place of which somebody may have written a secret.
		if _, isSet := c.lookup(Variable(layer.Other)); !isSet {
			return invalid("the second store must be a known location: "+c.someNames(), "")
		}
	}

	other, err := c.find(layer.Other)
	if err != nil {
		return err
	}
	if len(other.location.Layers) > 0 {
		return invalid("the second store must be a location of a whole bucket without layers", "")
	}
	if hasPrefix(other.address) {
		return invalid("the second store must be a location of a whole bucket without layers", "leave its prefix out")
	}
	if loc.overlaps(other) {
		return invalid("the two stores must not be the same bucket, nor one in the other", "")
	}
	if others[other.address] {
		return invalid("mirror and overlay must name different stores",
			"name another location in one of them, or remove one")
	}
	others[other.address] = true
	return nil
}

// overlaps reports whether both locations have the same address, or directories that overlap.
func (loc *namedLocation) overlaps(other *namedLocation) bool {
	if loc.address == other.address {
		return true
	}
	dir := loc.directory()
	otherDir := other.directory()
	return dir != "" && otherDir != "" && overlaps(dir, otherDir)
}

// hasPrefix reports whether an address has prefix=.
func hasPrefix(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Query().Has("prefix")
}

// openLayers opens the layers of a location. If isBucket is false, the location is an account.
func (c *Config) openLayers(ctx context.Context, loc *namedLocation, isBucket bool) (*Layers, error) {
	const withOthers = true
	configured, err := c.configure(loc, withOthers)
	if err != nil {
		return nil, err
	}

	layers := &Layers{}
	for i, layer := range configured {
		if err := c.openLayer(ctx, layer, layers, isBucket); err != nil {
			_ = layers.Close()
			return nil, c.layerError(loc, i, err)
		}
	}
	return layers, nil
}

// openLayer opens a layer and its second store, and adds them to layers. If isBucket is false, the
// location is an account.
func (c *Config) openLayer(ctx context.Context, layer *driver.ConfiguredLayer, layers *Layers, isBucket bool) error {
	parts := driver.LayerParts{Lookup: c.lookup}
	hasSecondStore := layer.Other != ""
	if hasSecondStore {
		if !isBucket {
			return invalid("a location with the layer mirror or overlay must be one bucket",
				"buckets of an account would share the other store")
		}
		store, err := c.openSecondStore(ctx, layer.Other, layers)
		if err != nil {
			return err
		}
		parts.Other = store
	}

	opened, closer, err := layer.Open(ctx, parts)
	if err != nil {
		return err
	}
	layers.Layers = append(layers.Layers, opened)
	if closer != nil {
		layers.closers = append(layers.closers, closer)
	}
	return nil
}

// openSecondStore opens the location with this name, and adds it to those that Close of layers closes.
func (c *Config) openSecondStore(ctx context.Context, name string, layers *Layers) (storage.Bucket, error) {
	other, err := c.find(name)
	if err != nil {
		return nil, err
	}
	store, err := c.openBucket(ctx, other.address)
	if err != nil {
		return nil, err
	}
	layers.closers = append(layers.closers, openBucket{store})
	if err := storage.Require(store, other.location.Features()); err != nil {
		return nil, err
	}
	return store, nil
}
