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

// The S3 server over encrypted stores passes the same tests as a server without layers.
func TestS3ServerOverEncryptedStores(t *testing.T) {
	tests := map[string]struct {
		open  func(t *testing.T) driver.ServiceDriver
		lacks gatewaytest.Lacks
	}{
		"memory": {func(*testing.T) driver.ServiceDriver {
			return remote{memstore.NewServiceDriver(memstore.ServiceConfig{})}
		}, gatewaytest.Lacks{}},
		"Azurite": {func(t *testing.T) driver.ServiceDriver {
			testserver.Nightly(t, "make layers")
			service, err := azure.NewServiceDriver(t.Context(), azure.Config{
				Endpoint: testserver.Need(t, "OMNIBUCKET_TEST_AZURITE"),
			})
			require.NoError(t, err)
			return service
		}, gatewaytest.Lacks{Versions: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.lacks.Checksums = true
			tt.lacks.ListedUploads = true
			gatewaytest.Run(t, driver.ServiceWithLayers(tt.open(t), gatewayLayers(t)...), tt.lacks)
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

func (d remoteDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Provider = "cloud"
	desc.Local = false
	return desc
}

// If S3 servers with different keys and one without a layer share an account, each lists only its own buckets.
func TestS3ServersShareAccount(t *testing.T) {
	below := remote{memstore.NewServiceDriver(memstore.ServiceConfig{})}
	services := map[string]driver.ServiceDriver{
		"plain":    below,
		"layered":  driver.ServiceWithLayers(below, newLayer(t, newKeys(t))),
		"otherkey": driver.ServiceWithLayers(below, newLayer(t, newKeys(t))),
	}
	for name, service := range services {
		for _, round := range []string{"one", "two"} {
			server, err := s3server.Start(s3server.Config{
				Service: service,
				Buckets: []string{name + "-" + round},
			})
			require.NoError(t, err)
			t.Cleanup(server.Close)
		}
	}
	for name, service := range services {
		server, err := s3server.Start(s3server.Config{Service: service})
		require.NoError(t, err)
		t.Cleanup(server.Close)
		profile, _ := s3.NamedProfile("omnibucket")
		account, err := s3.NewService(t.Context(), s3.Config{
			Endpoint:    server.URL,
			Region:      s3server.DefaultRegion,
			Profile:     &profile,
			HTTPClient:  testserver.Client(),
			AccessKeyID: s3server.DefaultAccessKeyID,
			SecretKey:   s3server.DefaultSecretKey,
		})
		require.NoError(t, err)
		var names []string
		for bucket, err := range account.Buckets(t.Context()) {
			require.NoError(t, err)
			names = append(names, bucket.Name)
		}

		require.Equal(t, []string{name + "-one", name + "-two"}, names)
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

// requireNothingPlain checks that the metadata of an object has no checksum of its plain bytes: what
// the server keeps in it names neither an entity tag nor a sum.
func requireNothingPlain(t *testing.T, below driver.ServiceDriver, bucket, key string) {
	d, err := below.Driver(bucket)
	require.NoError(t, err)
	attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: key, Length: -1})
	require.NoError(t, err)
	require.NoError(t, d.Close())
	values, err := url.ParseQuery(attrs.Metadata["s3server"])
	require.NoError(t, err)

	for name := range values {
		require.Contains(t, []string{"u", "o"}, name, "the upload and the account")
	}
}

// newServerBucket returns a new bucket, and its name, of a server of S3 over service.
func newServerBucket(t *testing.T, service driver.ServiceDriver) (b storage.Bucket, name string) {
	name = "test-" + strings.ToLower(rand.Text())
	server, err := s3server.Start(s3server.Config{Service: service, Buckets: []string{name}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	profile, _ := s3.NamedProfile("omnibucket")
	b, err = s3.Open(t.Context(), s3.Config{
		Bucket:      name,
		Endpoint:    server.URL,
		Region:      s3server.DefaultRegion,
		Profile:     &profile,
		HTTPClient:  testserver.Client(),
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	return b, name
}

// testLargeObject sends parts that are joined to larger parts of the store.
func testLargeObject(t *testing.T, below driver.ServiceDriver) {
	b, bucket := newServerBucket(t, driver.ServiceWithLayers(below, gatewayLayers(t)...))
	content := strings.Repeat(text(1<<20)+"x", 65)
	uploaded := mustUpload(t, b, "a", content, storage.WithPartSize(20<<20+1))
	r, err := b.Download(t.Context(), "a")
	require.NoError(t, err)

	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, content == string(got))

	attrs, err := b.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Empty(t, attrs.Metadata)
	requireNothingPlain(t, below, bucket, "a")
	require.Equal(t, uploaded.ETag, attrs.ETag)
	require.Contains(t, attrs.ETag, "-", "nobody takes it for an MD5")

	put := mustUpload(t, b, "b", "small",
		storage.WithCRC32C(crc32.Checksum([]byte("small"), crc32.MakeTable(crc32.Castagnoli))))
	requireNothingPlain(t, below, bucket, "b")
	for entry, err := range b.List(t.Context(), storage.WithPrefix("b")) {
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

// If the metadata leave no room for the header, the S3 server refuses a multipart upload at its beginning.
func TestS3ServerMetadataWithoutRoom(t *testing.T) {
	b, _ := newServerBucket(t,
		driver.ServiceWithLayers(remote{memstore.NewServiceDriver(memstore.ServiceConfig{})}, newLayer(t, newKeys(t))))
	_, err := storage.BeginUpload(t.Context(), b, "a", storage.WithMetadata(map[string]string{
		"long": strings.Repeat("x", 1800),
	}))
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
}
