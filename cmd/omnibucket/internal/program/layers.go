package program

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/locations"
)

// namedLayers holds the open layers of named locations. All buckets of a location share its layers.
type namedLayers struct {
	byName  map[string][]driver.Layer
	closers []io.Closer
}

// close closes the layers in the reverse order of their opening.
func (n *namedLayers) close() error {
	var failures []error
	for _, c := range slices.Backward(n.closers) {
		failures = append(failures, c.Close())
	}
	return errors.Join(failures...)
}

// configuredLayers returns the layers that the configuration and the flags of serve give a location,
// from the store outwards. The cache of serve is below encryption, so that it holds encrypted bytes,
// and below readonly, which is the outermost layer.
func (s *Stores) configuredLayers(l location.Location) []locations.Layer {
	layers := s.layersInFile(l)
	if s.CacheDir != "" {
		index := slices.IndexFunc(layers, func(layer locations.Layer) bool {
			return layer.Name == "encrypt" || layer.Name == "readonly"
		})
		if index < 0 {
			// There is no such layer, so the cache becomes the outermost one.
			index = len(layers)
		}
		cache := locations.Layer{Name: "diskcache", Settings: map[string]any{"dir": s.CacheDir}}
		layers = slices.Insert(layers, index, cache)
	}
	if s.ReadOnly {
		layers = append(layers, locations.Layer{Name: "readonly"})
	}
	return layers
}

// layersInFile returns a copy of the layers that the configuration file has for a location.
func (s *Stores) layersInFile(l location.Location) []locations.Layer {
	loc, _ := s.Config.Find(l.Name)
	return slices.Clone(loc.Layers)
}

// openOther opens the store at an address that the configuration of a layer names: the second store
// of a mirror, or the old store of an overlay.
func (s *Stores) openOther(ctx context.Context, address string, _ ...storage.OpenOption) (storage.Bucket, error) {
	l, err := location.ParseAddress(address)
	if err != nil {
		return nil, err
	}
	return InRegion(ctx, s.flags.withParameters(l), func(l location.Location) (storage.Bucket, error) {
		return storage.Open(ctx, s.addressToOpen(l), s.openOptions(s.layers)...)
	})
}

// layersKey returns the key of a location in namedLayers, which is the name of its environment
// variable, or "" if it has no layers.
func (s *Stores) layersKey(l location.Location) string {
	if len(s.configuredLayers(l)) == 0 {
		return ""
	}
	return locations.Variable(l.Name)
}

// HasTwoStores reports whether a location has a layer that makes one bucket of two stores.
func (s *Stores) HasTwoStores(l location.Location) bool {
	return slices.ContainsFunc(s.layersInFile(l), func(c locations.Layer) bool {
		return c.Name == "mirror" || c.Name == "overlay"
	})
}

// Layers returns the layers of an account or of one bucket, from the store outwards. They stay open
// until the program closes its buckets.
func (s *Stores) Layers(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	if err := s.checkOneBucket(l); err != nil {
		return nil, err
	}
	s.Buckets.mu.Lock()
	defer s.Buckets.mu.Unlock()
	return s.layersOf(ctx, l)
}

// checkOneBucket refuses a layer of two stores, such as mirror, if the location names a whole
// account.
func (s *Stores) checkOneBucket(l location.Location) error {
	if (l.Kind == location.Account || l.InAccount) && s.HasTwoStores(l) {
		return argument.Invalid("a location with the layer mirror or overlay must be one bucket",
			"buckets of an account would share the other store")
	}
	return nil
}

// layersOf returns all layers of a location, from the store outwards. The layer of --bwlimit is
// next to the store.
func (s *Stores) layersOf(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	if s.Raw {
		// Without the configured layers, cat --raw gets the stored bytes. asFile puts the header of an encrypted object
		// before them.
		return slices.Concat(s.layers, []driver.Layer{asFile}), nil
	}
	if err := s.checkOneBucket(l); err != nil {
		return nil, err
	}
	layers, err := s.openLayers(ctx, l)
	if err != nil {
		return nil, err
	}
	return slices.Concat(s.layers, layers), nil
}

// openLayers returns the configured layers of a location, or nil if it has none. It opens them at the
// first call. The caller must hold s.Buckets.mu.
func (s *Stores) openLayers(ctx context.Context, l location.Location) ([]driver.Layer, error) {
	key := s.layersKey(l)
	if key == "" {
		return nil, nil
	}

	cache := &s.Buckets.layers
	if layers, ok := cache.byName[key]; ok {
		return layers, nil
	}

	address, err := addressOfBucket(l)
	if err != nil {
		return nil, err
	}
	config := *s.Config
	config.Lookup = s.Lookup
	// A layer such as mirror opens its second store with this function.
	config.OpenBucket = s.openOther
	opened, err := config.OpenLayers(ctx, l.Name, locations.Location{
		Address: address,
		Layers:  s.configuredLayers(l),
	})
	if err != nil {
		return nil, err
	}

	// Keep the layers for the next call, and until the program closes them.
	cache.closers = append(cache.closers, opened)
	if cache.byName == nil {
		cache.byName = map[string][]driver.Layer{}
	}
	cache.byName[key] = opened.Layers
	return opened.Layers, nil
}

// addressOfBucket returns the address of a location, or of the directory that a path names.
func addressOfBucket(l location.Location) (string, error) {
	if l.Kind != location.LocalPath {
		return l.Address(), nil
	}
	dir, err := l.InDirectory(l.Path, "")
	if err != nil {
		return "", err
	}
	return dir.Address(), nil
}

// ErrReadOnly is the error of a change in a location with the layer readonly.
var ErrReadOnly = &storage.Error{
	Code: storage.PermissionDenied,
	Err:  errors.New("the location has the layer readonly"),
	Hint: "name a location without it to change the bucket",
}

// IsReadOnly reports whether a location has the layer readonly.
func (s *Stores) IsReadOnly(l location.Location) bool {
	return slices.ContainsFunc(s.configuredLayers(l), func(c locations.Layer) bool { return c.Name == "readonly" })
}

// IsEncrypted reports whether a location has the layer encrypt.
func (s *Stores) IsEncrypted(l location.Location) bool {
	return slices.ContainsFunc(s.layersInFile(l), func(c locations.Layer) bool { return c.Name == "encrypt" })
}

// serviceOptions returns the options for opening the account of a location. With the layer "readonly",
// the account refuses to create, update and delete buckets.
func (s *Stores) serviceOptions(l location.Location) []storage.OpenOption {
	if !s.IsReadOnly(l) {
		return nil
	}
	return []storage.OpenOption{storage.WithHook(refuseBucketChanges)}
}

// refuseBucketChanges is a hook that refuses to create, update and delete buckets.
func refuseBucketChanges(
	_ context.Context, op storage.Operation,
) (context.Context, func(storage.Outcome), error) {
	// A change has the effect EffectAdminister, and only DeleteBucket also has EffectRemove. If an operation
	// has further effects, it only reads settings.
	const create, remove = storage.EffectAdminister, storage.EffectAdminister | storage.EffectRemove
	isChange := op.Effects == create || op.Effects == remove
	if isChange {
		return nil, nil, ErrReadOnly
	}
	return nil, nil, nil
}
