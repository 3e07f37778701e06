package encrypt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest"
)

// boundKeys are like those of a key management service: a data key is refused for another object.
type boundKeys struct{ encrypt.Keys }

func (k boundKeys) Wrap(ctx context.Context, dataKey []byte, of encrypt.Object) ([]*age.Stanza, error) {
	stanzas, err := k.Keys.Wrap(ctx, dataKey, of)
	return append(stanzas, &age.Stanza{Type: "test-object", Body: []byte(of.Bucket + "/" + of.Key)}), err
}

func (k boundKeys) Unwrap(ctx context.Context, stanzas []*age.Stanza, of encrypt.Object) ([]byte, error) {
	if last := stanzas[len(stanzas)-1]; string(last.Body) != of.Bucket+"/"+of.Key {
		return nil, fmt.Errorf("the data key is of %q, not of %q: %w", last.Body, of.Key, errors.ErrUnsupported)
	}
	return k.Keys.Unwrap(ctx, stanzas, of)
}

func newKeys(t testing.TB) encrypt.Keys {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	keys, err := encrypt.ParseKeys(strings.NewReader(identity.String()))
	require.NoError(t, err)
	return keys
}

func newLayer(t testing.TB, keys encrypt.Keys) driver.Layer {
	layer, err := encrypt.New(encrypt.Config{Keys: keys})
	require.NoError(t, err)
	return layer
}

// skipped are the cases that a layer with a header in the metadata cannot pass.
func skipped() []storagetest.Option { return nil }

func TestConformanceOverMemory(t *testing.T) {
	layer := newLayer(t, boundKeys{newKeys(t)})
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return layer(memstore.NewDriver(memstore.Config{}))
	}, skipped()...)
}

func TestConformanceOverADirectory(t *testing.T) {
	layer := newLayer(t, newKeys(t))
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		d, err := local.NewDriver(t.TempDir(), local.Config{})
		require.NoError(t, err)
		return layer(d)
	}, skipped()...)
}

// The suite's first layer injects its faults. Here it is below ours, so that they are those of the store.
func TestConformanceWithFaultsBelowTheLayer(t *testing.T) {
	layer := newLayer(t, newKeys(t))
	storagetest.Run(t, func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
		below := 0
		if len(opts) > 2 { // its policy for retries, and the faults
			below = 2
		}
		return engine.New(memstore.NewDriver(memstore.Config{}), slices.Insert(opts, below, driver.WithLayer(layer))...)
	}, skipped()...)
}
