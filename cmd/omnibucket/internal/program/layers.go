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
	"github.com/omnibucket/storage/internal/serving"
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
func (s *Stores) configuredLayers(l location.Location) []config.Layer {
	layers := s.layersInFile(l)
	if s.CacheDir != "" {
		at := slices.IndexFunc(layers, func(c config.Layer) bool { return c.Encrypt != nil || c.ReadOnly != nil })
		if at < 0 {
			at = len(layers)
		}
		layers = slices.Insert(layers, at, config.Layer{DiskCache: &config.DiskCache{Dir: s.CacheDir}})
	}
	if s.ReadOnly {
		layers = append(layers, config.Layer{ReadOnly: &struct{}{}})
	}
	return layers
}

func (s *Stores) layersInFile(l location.Location) (layers []config.Layer) {
	for name, of := range s.Config.Layers {
		if l.Name != "" && location.VariableOf(name) == location.VariableOf(l.Name) {
			layers = slices.Clone(of)
		}
	}
	return layers
}

// openOther opens the second store of a mirror, or the old one of an overlay.
func (s *Stores) openOther(ctx context.Context, name string) (storage.Bucket, error) {
	l, err := s.LocateInBucket(name + ":")
	switch {
	case err != nil:
		return nil, err
	case l.Prefix != "" || l.Key != "" || len(s.layersInFile(l)) > 0:
		return nil, argument.Invalid("mirror and overlay must name a location of a whole bucket without layers", "")
	}
	return InRegion(ctx, l, func(l location.Location) (storage.Bucket, error) {
		return storage.Open(ctx, s.addressToOpen(l), s.openOptions(s.layers)...)
	})
}

// hasLayers returns the variable of a location with layers, or "".
func (s *Stores) hasLayers(l location.Location) string {
	if len(s.configuredLayers(l)) == 0 {
		return ""
	}
	return location.VariableOf(l.Name)
}

// HasTwoStores reports whether a location has a layer that makes one bucket of two stores.
func (s *Stores) HasTwoStores(l location.Location) bool {
	return slices.ContainsFunc(s.layersInFile(l), func(c config.Layer) bool { return c.Other() != "" })
}

// Layers returns the layers of an account or of one bucket, from the store outwards. Close of the
// buckets closes them.
func (s *Stores) Layers(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	if err := s.checkOneBucket(l); err != nil {
		return nil, err
	}
	s.Buckets.mu.Lock()
	defer s.Buckets.mu.Unlock()
	return s.layersOf(ctx, l)
}

// checkOneBucket refuses a second store for all buckets of an account.
func (s *Stores) checkOneBucket(l location.Location) error {
	if (l.Kind == location.Account || l.InAccount) && s.HasTwoStores(l) {
		return argument.Invalid("a location with the layer mirror or overlay must be one bucket",
			"buckets of an account would share the other store")
	}
	return nil
}

// layersOf returns the limit of --bwlimit, which is about requests of the store, and then the layers of
// the location.
func (s *Stores) layersOf(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	if s.Raw {
		return slices.Concat(s.layers, []driver.Layer{asFile}), nil
	}
	if err := s.checkOneBucket(l); err != nil {
		return nil, err
	}
	made, err := s.madeLayers(ctx, l)
	return slices.Concat(s.layers, made), err
}

func (s *Stores) madeLayers(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	name, own := s.hasLayers(l), &s.Buckets.layers
	if name == "" {
		return nil, nil
	}
	if made, known := own.by[name]; known {
		return made, nil
	}
	var layers []driver.Layer
	for _, c := range s.configuredLayers(l) {
		if dir := l.Directory(); c.DiskCache != nil && dir != "" &&
			driver.Overlap(serving.Directory(c.DiskCache.Dir), serving.Directory(dir)) {
			return nil, argument.Invalid("the directory of a cache must not overlap with that of the location",
				"name a directory outside of the location")
		}
		layer, closer, err := c.New(
			s.Lookup, func(name string) (storage.Bucket, error) { return s.openOther(ctx, name) },
		)
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
func (s *Stores) IsReadOnly(l location.Location) bool {
	return slices.ContainsFunc(s.configuredLayers(l), func(c config.Layer) bool { return c.ReadOnly != nil })
}

// IsEncrypted reports whether a location has the layer encrypt.
func (s *Stores) IsEncrypted(l location.Location) bool {
	return slices.ContainsFunc(s.layersInFile(l), func(c config.Layer) bool { return c.Encrypt != nil })
}

// serviceOptions returns the options for the account of a location.
func (s *Stores) serviceOptions(l location.Location) []storage.OpenOption {
	if !s.IsReadOnly(l) {
		return nil
	}
	return []storage.OpenOption{
		storage.WithHook(
			func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
				switch op.Name {
				case "CreateBucket", "UpdateBucket", "DeleteBucket":
					return nil, nil, ErrReadOnly
				}
				return nil, nil, nil
			},
		),
	}
}
