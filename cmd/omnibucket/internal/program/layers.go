package program

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/config"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/driver"
)

// namedLayers are the layers of locations by the variable of their name. All buckets of a location
// share them.
type namedLayers struct {
	by      map[string][]driver.Layer
	closers []io.Closer
}

func (n *namedLayers) close() error {
	var failures []error
	for _, c := range slices.Backward(n.closers) {
		failures = append(failures, c.Close())
	}
	return errors.Join(failures...)
}

// configuredLayers returns the layers of a location, from the store outwards: those of the
// configuration, and those of the flags of serve. Their cache is below the encryption, so that the
// disk has encrypted bytes, too.
func (p *Program) configuredLayers(l location.Location) []config.Layer {
	layers := p.layersInFile(l)
	if p.CacheDir != "" {
		at := slices.IndexFunc(layers, func(c config.Layer) bool { return c.Encrypt != nil || c.ReadOnly != nil })
		if at < 0 {
			at = len(layers)
		}
		layers = slices.Insert(layers, at, config.Layer{DiskCache: &config.DiskCache{Dir: p.CacheDir}})
	}
	if p.ReadOnly {
		layers = append(layers, config.Layer{ReadOnly: &struct{}{}})
	}
	return layers
}

func (p *Program) layersInFile(l location.Location) (layers []config.Layer) {
	for name, of := range p.Config.Layers {
		if l.Name != "" && location.VariableOf(name) == location.VariableOf(l.Name) {
			layers = slices.Clone(of)
		}
	}
	return layers
}

// openOther opens the second store of a mirror, or the old one of an overlay.
func (p *Program) openOther(ctx context.Context, name string) (storage.Bucket, error) {
	l, err := p.LocateInBucket(name + ":")
	switch {
	case err != nil:
		return nil, err
	case l.Prefix != "" || l.Key != "" || len(p.layersInFile(l)) > 0:
		return nil, argument.Invalid("mirror and overlay must name a location of a whole bucket without layers", "")
	}
	return InRegion(ctx, l, func(l location.Location) (storage.Bucket, error) {
		return storage.Open(ctx, p.addressToOpen(l), p.openOptions(p.layers)...)
	})
}

// hasLayers returns the variable of a location with layers, or "".
func (p *Program) hasLayers(l location.Location) string {
	if len(p.configuredLayers(l)) == 0 {
		return ""
	}
	return location.VariableOf(l.Name)
}

// HasTwoStores reports whether a location has a layer that makes one bucket of two stores.
func (p *Program) HasTwoStores(l location.Location) bool {
	return slices.ContainsFunc(p.layersInFile(l), func(c config.Layer) bool { return c.Other() != "" })
}

// Layers returns the layers of an account or of one bucket, from the store outwards. Close of the
// buckets closes them.
func (p *Program) Layers(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	if l.Kind == location.Account && p.HasTwoStores(l) {
		return nil, argument.Invalid("a location with the layer mirror or overlay must be one bucket", "buckets of an account would share the other store")
	}
	p.Buckets.mu.Lock()
	defer p.Buckets.mu.Unlock()
	return p.layersOf(ctx, l)
}

// layersOf returns the limit of --bwlimit, which is about requests of the store, and then the layers of
// the location.
func (p *Program) layersOf(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	if p.Raw {
		return slices.Concat(p.layers, []driver.Layer{asFile}), nil
	}
	made, err := p.madeLayers(ctx, l)
	return slices.Concat(p.layers, made), err
}

func (p *Program) madeLayers(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	name, own := p.hasLayers(l), &p.Buckets.layers
	if name == "" {
		return nil, nil
	}
	if made, known := own.by[name]; known {
		return made, nil
	}
	var layers []driver.Layer
	for _, c := range p.configuredLayers(l) {
		layer, closer, err := c.New(p.Around.Lookup, func(name string) (storage.Bucket, error) { return p.openOther(ctx, name) })
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
		if closer != nil {
			own.closers = append(own.closers, closer)
		}
	}
	if own.by == nil {
		own.by = map[string][]driver.Layer{}
	}
	own.by[name] = layers
	return layers, nil
}

// ErrReadOnly refuses a change of a bucket that may not be changed.
var ErrReadOnly = &storage.Error{
	Code: storage.PermissionDenied, Err: errors.New("the location has the layer readonly"),
	Hint: "name a location without it to change the bucket",
}

// IsReadOnly reports whether a location has the layer readonly.
func (p *Program) IsReadOnly(l location.Location) bool {
	return slices.ContainsFunc(p.configuredLayers(l), func(c config.Layer) bool { return c.ReadOnly != nil })
}

// serviceOptions returns the options for the account of a location.
func (p *Program) serviceOptions(l location.Location) []storage.OpenOption {
	if !p.IsReadOnly(l) {
		return nil
	}
	return []storage.OpenOption{storage.WithHook(func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		switch op.Name {
		case "CreateBucket", "UpdateBucket", "DeleteBucket":
			return nil, nil, ErrReadOnly
		}
		return nil, nil, nil
	})}
}
