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
	"github.com/omnibucket/storage/internal/testing/azurite"
	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/minio"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/locations"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/storagetest"
)

// boundKeys bind each data key to its object, as a key management service does. They refuse to
// unwrap it for another object.
type boundKeys struct{ encrypt.Keys }

func (k boundKeys) Wrap(ctx context.Context, dataKey []byte, obj encrypt.Object) ([]*age.Stanza, error) {
	stanzas, err := k.Keys.Wrap(ctx, dataKey, obj)
	return append(stanzas, &age.Stanza{Type: "test-object", Body: []byte(obj.Bucket + "/" + obj.Key)}), err
}

// Unwrap fails if the last stanza, which Wrap has added, names another object.
func (k boundKeys) Unwrap(ctx context.Context, stanzas []*age.Stanza, obj encrypt.Object) ([]byte, error) {
	if last := stanzas[len(stanzas)-1]; string(last.Body) != obj.Bucket+"/"+obj.Key {
		return nil, fmt.Errorf("the data key is of %q, not of %q: %w", last.Body, obj.Key,
			errors.ErrUnsupported)
	}
	return k.Keys.Unwrap(ctx, stanzas, obj)
}

// newKeys returns new keys of age.
func newKeys(t testing.TB) encrypt.Keys {
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	keys, err := encrypt.ParseKeys(strings.NewReader(identity.String()))
	require.NoError(t, err)
	return keys
}

// newLayer returns a layer with these keys.
func newLayer(t testing.TB, keys encrypt.Keys) driver.Layer {
	layer, err := encrypt.New(encrypt.Config{Keys: keys})
	require.NoError(t, err)
	return layer
}

// The conformance suite passes for an encrypted bucket in memory.
func TestConformanceOverMemory(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers
	layer := newLayer(t, boundKeys{newKeys(t)})
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return layer(memstore.NewDriver(memstore.Config{}))
	})
}

// The conformance suite passes for an encrypted directory.
func TestConformanceOverADirectory(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "")
	layer := newLayer(t, newKeys(t))
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		d, err := local.NewDriver(t.TempDir(), local.Config{})
		require.NoError(t, err)
		return layer(d)
	})
}

// A bucket that is encrypted by the settings of a configuration file passes the conformance suite.
func TestFurtherConformanceThroughLocations(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers
	c, err := locations.Parse("config.yaml", []byte(
		"locations: {a: {address: 'mem://a', layers: [{encrypt: {identity_variable: KEYS}}]}}"))
	require.NoError(t, err)

	// The environment variable KEYS has a new identity, and "mem://a" is a new store for each case.
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	c.Lookup = func(name string) (string, bool) { return identity.String(), name == "KEYS" }
	c.OpenBucket = func(_ context.Context, _ string, opts ...storage.OpenOption) (storage.Bucket, error) {
		return memstore.New(opts...), nil
	}

	storagetest.Run(t, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		b, err := c.Open(t.Context(), "a", opts...)
		require.NoError(t, err)
		return b
	})
}

// The conformance suite passes for an encrypted bucket even if the faults that it injects are below the encryption.
// Then each call of the store fails once, bodies break off, or bytes are damaged.
func TestConformanceWithFaultsBelowTheLayer(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers

	// AllowPlain is set because the suite also writes below the layer.
	layer, err := encrypt.New(encrypt.Config{Keys: newKeys(t), AllowPlain: true})
	require.NoError(t, err)

	// In a case with faults, the options of the suite begin with a retry policy and the layer that injects the
	// faults. A later layer is above an earlier one. So the encryption is inserted right after these two options.
	open := func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
		aboveFaults := min(2, len(opts)-1)
		opts = slices.Insert(opts, aboveFaults, driver.WithLayer(layer))
		return engine.New(memstore.NewDriver(memstore.Config{}), opts...)
	}
	storagetest.Run(t, open,
		storagetest.Skip("a body that is damaged in transit is not stored",
			"memory trusts the checksum of the sender; TestGetRefusesDamage reads what was damaged"),
		storagetest.Skip("a read in progress ends with ctx",
			"it waits for the first bytes of a chunk that is not complete, and none is delivered "+
				"unauthenticated"))
}

// The conformance suite passes for encrypted buckets of MinIO, a server of S3. Some of its cases need a bucket
// with versions or with object lock.
func TestConformanceOverMinIO(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers
	config := minio.Config(t)
	account := config
	account.HTTPClient = testserver.Client()
	service, err := s3.NewService(t.Context(), account)
	require.NoError(t, err)
	layer := newLayer(t, newKeys(t))

	newBucketConfig := func(t *testing.T, opts ...storage.BucketOption) s3.Config {
		c := config
		c.Bucket = freshbucket.Create(t, service, opts...)
		return c
	}
	newDriver := func(t *testing.T) driver.Driver {
		d, err := s3.NewDriver(t.Context(), newBucketConfig(t))
		require.NoError(t, err)
		return layer(d)
	}
	open := func(t *testing.T, c s3.Config, opts []storage.OpenOption) storage.Bucket {
		opts = append([]storage.OpenOption{driver.WithLayer(layer)}, opts...)
		b, err := s3.Open(t.Context(), c, opts...)
		require.NoError(t, err)
		return b
	}
	openVersioned := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return open(t, newBucketConfig(t, storage.WithVersioning(true)), opts)
	}
	openLocking := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return open(t, newBucketConfig(t, storage.WithObjectLock()), opts)
	}

	suiteOpts := suite(minio.Skipped) // without the cases that MinIO cannot pass
	suiteOpts = append(suiteOpts,
		storagetest.WithVersionedOpen(openVersioned),
		storagetest.WithLockingOpen(openLocking))
	storagetest.RunDriver(t, newDriver, suiteOpts...)
}

// The conformance suite passes for encrypted containers of Azurite, an emulator of Azure.
func TestConformanceOverAzurite(t *testing.T) {
	testserver.Nightly(t, "make layers")
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers
	endpoint := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	service, err := azure.NewService(t.Context(), azure.Config{
		Endpoint:   endpoint,
		HTTPClient: testserver.Client(),
	})
	require.NoError(t, err)
	layer := newLayer(t, newKeys(t))
	newDriver := func(t *testing.T) driver.Driver {
		d, err := azure.NewDriver(t.Context(), azure.Config{
			Bucket:   freshbucket.Create(t, service),
			Endpoint: endpoint,
		})
		require.NoError(t, err)
		return layer(d)
	}

	suiteOpts := suite(azurite.Skipped) // without the cases that Azurite cannot pass
	storagetest.RunDriver(t, newDriver, suiteOpts...)
}

// The conformance suite passes with keys of each key management service.
func TestConformanceWithKeysOfServices(t *testing.T) {
	testserver.Nightly(t, "make layers")
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for layers
	runOnServices(t, func(t *testing.T, k kmsTest) {
		// Azure wraps a data key with an RSA key. Its call has the name "wrapkey".
		skipped := map[string]string{}
		if k.wrap == "wrapkey" {
			skipped["metadata that a provider cannot hold is refused"] =
				"it stores 1.5 KiB of metadata, and a header with an RSA key leaves less"
		}

		layer := newLayer(t, k.keys(t, firstKey))
		newDriver := func(*testing.T) driver.Driver { return layer(memstore.NewDriver(memstore.Config{})) }
		storagetest.RunDriver(t, newDriver, suite(skipped)...)
	})
}

// suite returns options that leave out cases, by their names and reasons.
func suite(skipped map[string]string) (opts []storagetest.Option) {
	for name, reason := range skipped {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	return opts
}
