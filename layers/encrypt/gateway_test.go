package encrypt_test

import (
	"context"
	"crypto/rand"
	"errors"
	"hash/crc32"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/gatewaytest"
	"github.com/omnibucket/storage/internal/testing/minio"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// gatewayLayers are a cache on disk, and the encryption above it.
func gatewayLayers(t *testing.T) []driver.Layer {
	cache, err := diskcache.Open(t.TempDir()+"/cache", diskcache.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cache.Close()) })
	return []driver.Layer{cache.Layer(), newLayer(t, boundKeys{newKeys(t)})}
}

// The S3 server passes the tests of the package gatewaytest over encrypted stores, too. Only tests
// of features that a store with these layers lacks are left out.
func TestS3ServerOverEncryptedStores(t *testing.T) {
	tests := []struct {
		name  string
		open  func(t *testing.T) driver.ServiceDriver
		lacks gatewaytest.Lacks
	}{
		{
			name: "memory",
			open: func(*testing.T) driver.ServiceDriver {
				return remote{memstore.NewServiceDriver(memstore.ServiceConfig{})}
			},
			lacks: gatewaytest.Lacks{Checksums: true, ListedUploads: true},
		},
		{
			name: "Azurite",
			open: func(t *testing.T) driver.ServiceDriver {
				testserver.Nightly(t, "make layers")
				service, err := azure.NewServiceDriver(t.Context(), azure.Config{
					Endpoint: testserver.Need(t, "OMNIBUCKET_TEST_AZURITE"),
				})
				require.NoError(t, err)
				return service
			},
			lacks: gatewaytest.Lacks{Checksums: true, ListedUploads: true, Versions: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			encrypted := driver.ServiceWithLayers(tt.open(t), gatewayLayers(t)...)
			gatewaytest.Run(t, encrypted, tt.lacks)
		})
	}
}

// A remote service is one on another machine, without private objects.
type remote struct{ driver.ServiceDriver }

func (s remote) Driver(name string) (driver.Driver, error) {
	d, err := s.ServiceDriver.Driver(name)
	return remoteDriver{d}, err
}

type remoteDriver struct{ driver.Driver }

// Describe says that the store is in a cloud.
func (d remoteDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Provider = "cloud"
	desc.Local = false
	return desc
}

// Several S3 servers share an account. Some have different keys, and one has no layer. Each server
// lists only its own buckets.
func TestS3ServersShareAccount(t *testing.T) {
	account := remote{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	services := map[string]driver.ServiceDriver{
		"plain":    account,
		"layered":  driver.ServiceWithLayers(account, newLayer(t, newKeys(t))),
		"otherkey": driver.ServiceWithLayers(account, newLayer(t, newKeys(t))),
	}

	// Each server creates one bucket when it starts.
	for name, service := range services {
		for _, suffix := range []string{"-one", "-two"} {
			startServer(t, s3server.Config{Service: service, Buckets: []string{name + suffix}})
		}
	}

	for name, service := range services {
		t.Run(name, func(t *testing.T) {
			config := startServer(t, s3server.Config{Service: service})
			client, err := s3.NewService(t.Context(), config)
			require.NoError(t, err)

			var names []string
			for bucket, err := range client.Buckets(t.Context()) {
				require.NoError(t, err)
				names = append(names, bucket.Name)
			}
			require.Equal(t, []string{name + "-one", name + "-two"}, names)
		})
	}
}

// The S3 server stores large objects over encrypted stores.
func TestS3ServerLargeObjects(t *testing.T) {
	directory, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	onMinIO, err := s3.NewServiceDriver(t.Context(), minio.Config(t))
	require.NoError(t, err)
	for name, below := range map[string]driver.ServiceDriver{
		"memory":      memstore.NewServiceDriver(memstore.ServiceConfig{}),
		"a directory": directory,
		"MinIO":       onMinIO,
	} {
		t.Run(name, func(t *testing.T) {
			testLargeObject(t, below)
		})
	}
}

// requireNothingPlain requires that the metadata of an object in the store names no checksum of its plain bytes. The
// entry that the S3 server keeps there may only have the upload ("u") and the account ("o").
func requireNothingPlain(t *testing.T, below driver.ServiceDriver, bucket, key string) {
	d, err := below.Driver(bucket)
	require.NoError(t, err)
	attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: key, Length: -1})
	require.NoError(t, err)
	require.NoError(t, d.Close())

	fields, err := url.ParseQuery(attrs.Metadata["s3server"])
	require.NoError(t, err)
	for name := range fields {
		require.Contains(t, []string{"u", "o"}, name)
	}
}

// newServerBucket starts an S3 server over a service. It returns a new bucket of the server, and the bucket's name.
func newServerBucket(t *testing.T, service driver.ServiceDriver) (b storage.Bucket, name string) {
	name = "test-" + strings.ToLower(rand.Text())
	config := startServer(t, s3server.Config{Service: service, Buckets: []string{name}})
	config.Bucket = name
	b, err := s3.Open(t.Context(), config)
	require.NoError(t, err)
	return b, name
}

// startServer starts a server of S3, which ends with the test. It returns the configuration of a client, without a
// bucket.
func startServer(t *testing.T, c s3server.Config) s3.Config {
	server, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("omnibucket")
	return s3.Config{
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		HTTPClient:  testserver.Client(),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	}
}

// testLargeObject uploads a small object and a large one. The large one is uploaded in parts of a size that differs
// from the parts of the store.
func testLargeObject(t *testing.T, below driver.ServiceDriver) {
	b, bucket := newServerBucket(t, driver.ServiceWithLayers(below, gatewayLayers(t)...))
	const partSize = 20<<20 + 1
	content := strings.Repeat(randomText(1<<20)+"x", 65)
	uploaded := mustUpload(t, b, "large", content, storage.WithPartSize(partSize))

	got, _, err := storage.ReadAll(t.Context(), b, "large")
	require.NoError(t, err)
	require.True(t, content == string(got))

	attrs, err := b.Attrs(t.Context(), "large")
	require.NoError(t, err)
	require.Empty(t, attrs.Metadata)
	require.Equal(t, uploaded.ETag, attrs.ETag)
	require.Contains(t, attrs.ETag, "-", "nobody takes it for an MD5")
	requireNothingPlain(t, below, bucket, "large")

	crc := crc32.Checksum([]byte("small"), crc32.MakeTable(crc32.Castagnoli))
	put := mustUpload(t, b, "small", "small", storage.WithCRC32C(crc))
	requireNothingPlain(t, below, bucket, "small")
	for entry, err := range b.List(t.Context(), storage.WithPrefix("small")) {
		require.NoError(t, err)
		require.Equal(t, put.ETag, entry.ETag)
	}
}

// readless is a layer below the encryption that refuses to read the object "from".
func readless(d driver.Driver) driver.Driver { return readlessDriver{d} }

type readlessDriver struct{ driver.Driver }

func (d readlessDriver) Get(
	ctx context.Context, r *driver.GetRequest,
) (*storage.Attrs, io.ReadCloser, error) {
	if r.Key == "from" {
		return nil, nil, &storage.Error{Code: storage.Internal, Err: errors.New("the copy reads its source")}
	}
	return d.Driver.Get(ctx, r)
}

// A copy by the S3 server over encrypted stores reads no bytes.
func TestS3ServerCopyReadsNoBytes(t *testing.T) {
	below := remote{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	b, _ := newServerBucket(t, driver.ServiceWithLayers(below, readless, newLayer(t, newKeys(t))))
	mustUpload(t, b, "from", "content")

	_, err := storage.Copy(t.Context(), b, "to", b, "from")
	require.NoError(t, err)
	r, err := b.Download(t.Context(), "to")
	require.NoError(t, err)

	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "content", string(got))
}

// The S3 server refuses a multipart upload at its beginning if the metadata leave no room for the
// header.
func TestS3ServerMetadataWithoutRoom(t *testing.T) {
	b, _ := newServerBucket(t,
		driver.ServiceWithLayers(remote{memstore.NewServiceDriver(memstore.ServiceConfig{})}, newLayer(t, newKeys(t))))

	_, err := storage.BeginUpload(t.Context(), b, "a", storage.WithMetadata(map[string]string{
		"long": strings.Repeat("x", 1800),
	}))
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
}
