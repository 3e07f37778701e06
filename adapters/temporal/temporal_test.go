package temporal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/minioserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
)

// stores has a function for each kind of store. The function opens a bucket.
var stores = map[string]func(t *testing.T, opts ...storage.OpenOption) storage.Bucket{
	"memory": func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket { return memstore.New(opts...) },
	"local": func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		b, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{
			Create: true,
			NoSync: true,
		}, opts...)
		require.NoError(t, err)
		return b
	},
	"minio": func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		b, err := s3.Open(t.Context(), minioserver.NewBucket(t), opts...)
		require.NoError(t, err)
		return b
	},
}

// newDriver returns a driver of the bucket.
func newDriver(t *testing.T, b storage.ReadWriter) converter.StorageDriver {
	t.Helper()
	d, err := New(b, Config{})
	require.NoError(t, err)
	return d
}

// payload returns a payload with a text.
func payload(text string) *common.Payload {
	return &common.Payload{
		Metadata: map[string][]byte{"encoding": []byte("json/plain"), "a": []byte("b")},
		Data:     []byte(text),
	}
}

// store stores payloads. It returns the claims, by which Temporal gets the payloads back.
func store(
	t *testing.T, d converter.StorageDriver, payloads ...*common.Payload,
) []converter.StorageDriverClaim {
	t.Helper()
	claims, err := d.Store(converter.StorageDriverStoreContext{Context: t.Context()}, payloads)
	require.NoError(t, err)
	return claims
}

// retrieve returns the payloads of claims.
func retrieve(
	t *testing.T, d converter.StorageDriver, claims ...converter.StorageDriverClaim,
) ([]*common.Payload, error) {
	t.Helper()
	return d.Retrieve(converter.StorageDriverRetrieveContext{Context: t.Context()}, claims)
}

// Retrieve returns the payloads that Store has stored with one request each. Equal payloads become one object, and have
// equal claims, by which Temporal gets them back.
func TestStoreAndRetrieve(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			countRequests := func(
				context.Context, storage.Operation,
			) (context.Context, func(storage.Outcome), error) {
				return nil, func(outcome storage.Outcome) {
					requests.Add(int64(outcome.Requests))
				}, nil
			}
			b := open(t, storage.WithHook(countRequests))

			// One payload is larger than a part, which has 5 MiB by default. The first and the last are equal.
			large := payload(strings.Repeat("two", 3<<20))
			want := []*common.Payload{payload("one"), large, {}, payload("one")}
			const distinctPayloads = 3

			// Store makes one request for each payload.
			claims := store(t, newDriver(t, b), want...)
			require.EqualValues(t, len(want), requests.Swap(0))
			require.Equal(t, claims[0], claims[3])

			// A task that is tried again stores the same payloads.
			require.Equal(t, claims, store(t, newDriver(t, b), want...))
			require.EqualValues(t, len(want), requests.Load())

			// Retrieve returns the payloads in the order of their claims.
			got, err := retrieve(t, newDriver(t, b), claims...)
			require.NoError(t, err)
			require.Len(t, got, len(want))
			for i := range want {
				require.True(t, proto.Equal(want[i], got[i]))
			}

			requireObjects(t, b, distinctPayloads)
		})
	}
}

// requireObjects requires that a bucket has so many objects, each under a key of the driver.
func requireObjects(t *testing.T, b storage.Bucket, want int) {
	t.Helper()
	objects := 0
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(entry.Key, "v0/d/sha256/"), entry.Key)
		objects++
	}
	require.Equal(t, want, objects)
}

// Retrieve fails if a claim is malformed, or if its object is missing or has other bytes.
func TestRetrieveFails(t *testing.T) {
	b := memstore.New()
	d := newDriver(t, b)
	good := store(t, d, payload("text"))[0]
	// The object of this claim is then overwritten.
	damaged := store(t, d, payload("damaged"))[0]
	_, err := b.Upload(t.Context(), damaged.ClaimData["key"], strings.NewReader("other"))
	require.NoError(t, err)

	tests := []struct {
		name     string
		claim    map[string]string
		wantCode storage.Code
	}{
		{name: "other bytes", claim: damaged.ClaimData, wantCode: storage.ChecksumMismatch},
		{
			name:     "no object",
			claim:    map[string]string{"key": "v0/none", "hash_algorithm": "sha256"},
			wantCode: storage.ObjectNotFound,
		},
		{
			name:     "another algorithm",
			claim:    map[string]string{"key": good.ClaimData["key"], "hash_algorithm": "md5"},
			wantCode: storage.InvalidArgument,
		},
		{name: "an empty claim", claim: nil, wantCode: storage.InvalidArgument},
		{
			name:     "no key",
			claim:    map[string]string{"hash_algorithm": "sha256"},
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "no hash",
			claim:    map[string]string{"key": good.ClaimData["key"], "hash_algorithm": "sha256"},
			wantCode: storage.ChecksumMismatch,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// One of the two claims is valid, and the call still fails.
			_, err := retrieve(t, d, good, converter.StorageDriverClaim{ClaimData: tt.claim})
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
		})
	}
}

// A limiter refuses all operations but the first.
type limiter[T any] struct{ permitted atomic.Int64 }

var errLimited = errors.New("no permit")

// Permit calls the operation f if it is the first one.
func (l *limiter[T]) Permit(_ context.Context, _ T, f func() error) error {
	if l.permitted.Add(1) > 1 {
		return errLimited
	}
	return f()
}

// Store and Retrieve ask the SDK's limiter before each payload, and fail with its error.
func TestLimiterOfTheSDKIsAsked(t *testing.T) {
	d := newDriver(t, memstore.New())
	payloads := []*common.Payload{payload("one"), payload("two")}

	// Each limiter permits only the first payload.
	_, err := d.Store(converter.StorageDriverStoreContext{
		Context: t.Context(),
		Limiter: &limiter[*common.Payload]{},
	}, payloads)
	require.ErrorIs(t, err, errLimited)

	claims := store(t, d, payloads...)
	_, err = d.Retrieve(converter.StorageDriverRetrieveContext{
		Context: t.Context(),
		Limiter: &limiter[converter.StorageDriverClaim]{},
	}, claims)
	require.ErrorIs(t, err, errLimited)
}

// The driver's name is the one that its configuration sets. Its type is its own.
func TestNames(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   string
	}{
		{name: "default", config: Config{}, want: "omnibucket"},
		{name: "the SDK's driver for S3", config: Config{Name: "aws.s3driver"}, want: "aws.s3driver"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := New(memstore.New(), tt.config)
			require.NoError(t, err)
			require.Equal(t, tt.want, d.Name())
			require.Equal(t, "omnibucket", d.Type())
		})
	}
}

// New refuses a nil bucket.
func TestNewNil(t *testing.T) {
	_, err := New(nil, Config{})
	require.ErrorIs(t, err, storage.InvalidArgument)
}

func ExampleNew() {
	bucket := memstore.New() // production: storage.Open(ctx, "s3://…")
	d, err := New(bucket, Config{})
	if err != nil {
		panic(err)
	}
	// options := client.Options{ExternalStorage: external}
	external := converter.ExternalStorage{
		Drivers:              []converter.StorageDriver{d},
		PayloadSizeThreshold: 64 << 10,
	}
	fmt.Println(external.Drivers[0].Name())
	// Output:
	// omnibucket
}
