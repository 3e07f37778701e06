package encrypt_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// Rewrap encrypts the data key of an object for other keys without reading or writing its content.
func TestRewrapRotatesKeysWithoutMovingBytes(t *testing.T) {
	older, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	newer, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	parse := func(file string) encrypt.Keys {
		keys, err := encrypt.ParseKeys(strings.NewReader(file))
		require.NoError(t, err)
		return keys
	}

	// An object is encrypted for the older key.
	s := newStore()
	content := randomText(2*chunk + 3)
	oldAttrs := mustUpload(t, s.open(t, parse(older.String())), "a", content,
		storage.WithContentType("text/x-test"),
		storage.WithMetadata(map[string]string{"k": "v"}),
		storage.WithTags(map[string]string{"t": "u"}))
	before := s.get(t, "a")

	// With both keys, Rewrap decrypts the data key by the older one, and encrypts it for the newer one.
	calls := faults.New()
	b := engine.New(s.Driver, driver.WithLayer(calls.Layer()),
		driver.WithLayer(newLayer(t, parse(newer.String()+"\n"+older.String()))))
	attrs, err := encrypt.Rewrap(t.Context(), b, "a")
	require.NoError(t, err)
	require.Zero(t, calls.Count(faults.Get|faults.Put|faults.PutPart), "no bytes move: %v", calls)
	require.NotEqual(t, oldAttrs.Revision, attrs.Revision)

	after := s.get(t, "a")
	require.Equal(t, before.body, after.body)
	require.NotEqual(t, before.header(), after.header())

	// Afterwards the newer key opens the object, with all its properties. The older key does not.
	for name, keys := range map[string]encrypt.Keys{
		"newer": parse(newer.String()),
		"both":  parse(older.String() + "\n" + newer.String()),
	} {
		got, attrs, err := storage.ReadAll(t.Context(), s.open(t, keys), "a")
		require.NoError(t, err, name)
		require.Equal(t, content, string(got), name)
		require.Equal(t, "text/x-test", attrs.ContentType, name)
		require.Equal(t, map[string]string{"k": "v"}, attrs.Metadata, name)
		require.Equal(t, 1, attrs.TagCount, name)
	}
	_, _, err = storage.ReadAll(t.Context(), s.open(t, parse(older.String())), "a")
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, err = encrypt.Rewrap(t.Context(), s.open(t, parse(older.String())), "a")
	require.ErrorIs(t, err, storage.PermissionDenied)
}

// If another client replaces the object during Rewrap, then Rewrap fails and the newer object stays.
func TestRewrapReplacesNoNewerObject(t *testing.T) {
	s := newStore()
	keys := newKeys(t)
	otherClient := s.open(t, keys)
	mustUpload(t, otherClient, "a", "old")

	// Rewrap copies the object onto itself. The other client replaces the object just before that.
	overtaken := &overtakenDriver{
		Driver: s.Driver,
		beforeCopy: func() {
			mustUpload(t, otherClient, "a", "newer")
		},
	}
	b := engine.New(overtaken, driver.WithLayer(newLayer(t, keys)))

	_, err := encrypt.Rewrap(t.Context(), b, "a")
	codes := []storage.Code{storage.PreconditionFailed, storage.Changed}
	require.Contains(t, codes, storage.CodeOf(err), "%v", err)

	got, _, err := storage.ReadAll(t.Context(), otherClient, "a")
	require.NoError(t, err)
	require.Equal(t, "newer", string(got))
}

// An overtakenDriver calls a function before each copy, so that another client can write.
type overtakenDriver struct {
	driver.Driver
	beforeCopy func()
}

func (d *overtakenDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	d.beforeCopy()
	return d.Driver.Copy(ctx, r)
}

// Rewrap is unsupported if the store cannot copy, or cannot make a copy depend on a revision.
func TestRewrapNeedsCopiesInTheStoreWithConditions(t *testing.T) {
	missing := map[string]storage.Features{
		"ServerCopy":        storage.ServerCopy,
		"ConditionalUpdate": storage.ConditionalUpdate,
	}
	for name, feature := range missing {
		t.Run(name, func(t *testing.T) {
			limits := faults.WithLimits(faults.Limits{Disable: feature})
			b := engine.New(memstore.NewDriver(memstore.Config{}),
				driver.WithLayer(limits), driver.WithLayer(newLayer(t, newKeys(t))))
			mustUpload(t, b, "a", "x")

			_, err := encrypt.Rewrap(t.Context(), b, "a")
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// The layer is unsupported over a store without metadata.
func TestLayerNeedsMetadata(t *testing.T) {
	b := engine.New(memstore.NewDriver(memstore.Config{}),
		driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.Metadata})),
		driver.WithLayer(newLayer(t, newKeys(t))))

	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.ErrorIs(t, err, storage.Unsupported)
}

// The store itself makes a copy between two buckets with the same layer. Any other copy is decrypted
// and encrypted again.
func TestCopyBetweenBuckets(t *testing.T) {
	content := randomText(chunk + 1)
	keys := boundKeys{newKeys(t)}
	first := newLayer(t, keys)
	second := newLayer(t, keys)
	noLayer := func(d driver.Driver) driver.Driver { return d }
	tests := []struct {
		name      string
		src       driver.Layer
		dst       driver.Layer
		reads     bool // the bytes leave the store
		encrypted bool // the store of dst has no plain bytes
	}{
		{name: "one layer", src: first, dst: first, reads: false, encrypted: true},
		{name: "two layers", src: first, dst: second, reads: true, encrypted: true},
		{name: "from plain", src: noLayer, dst: first, reads: true, encrypted: true},
		{name: "to plain", src: first, dst: noLayer, reads: true, encrypted: false},
		{name: "no layer", src: noLayer, dst: noLayer, reads: false, encrypted: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := memstore.NewServiceDriver(memstore.ServiceConfig{})
			for _, bucket := range []string{"src", "dst"} {
				_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: bucket})
				require.NoError(t, err)
			}

			calls := faults.New()
			open := func(bucket string, layer driver.Layer) storage.Bucket {
				d, err := service.Driver(bucket)
				require.NoError(t, err)
				return engine.New(d, driver.WithLayer(calls.Layer()), driver.WithLayer(layer))
			}

			src := open("src", tt.src)
			dst := open("dst", tt.dst)
			mustUpload(t, src, "a", content)

			calls.Reset()
			_, err := storage.Copy(t.Context(), dst, "b", src, "a")
			require.NoError(t, err)
			require.Equal(t, tt.reads, calls.Count(faults.Get) > 0, "%v", calls)

			got, _, err := storage.ReadAll(t.Context(), dst, "b")
			require.NoError(t, err)
			require.Equal(t, content, string(got))

			// Without a layer, the bytes are as the store has them.
			rawText, _, err := storage.ReadAll(t.Context(), open("dst", noLayer), "b")
			require.NoError(t, err)
			require.Equal(t, tt.encrypted, string(rawText) != content)
		})
	}
}

// A read of a range reads at most one more chunk at each end of the range. It reads no other chunks
// to learn the size.
func TestRangeReadsOnlyItsChunks(t *testing.T) {
	s := newStore()
	counted := &readCounter{Driver: s.Driver}
	b := engine.New(counted, driver.WithLayer(newLayer(t, newKeys(t))))

	// The object has ten whole chunks, and a last one of 5 bytes.
	const size = 10*chunk + 5
	content := randomText(size)
	mustUpload(t, b, "a", content)

	tests := []struct {
		offset int64 // from the end if negative
		length int64 // -1 for all bytes up to the end
		want   string
	}{
		{offset: 0, length: 1, want: content[:1]},
		{offset: chunk - 1, length: 2, want: content[chunk-1 : chunk+1]},
		{offset: chunk, length: chunk, want: content[chunk : 2*chunk]},
		{offset: 3*chunk + 7, length: 2 * chunk, want: content[3*chunk+7 : 5*chunk+7]},
		{offset: 10 * chunk, length: -1, want: content[10*chunk:]},
		{offset: 10*chunk + 4, length: 1, want: content[10*chunk+4:]},
		{offset: -1, length: -1, want: content[size-1:]},
		{offset: -chunk, length: -1, want: content[size-chunk:]},
		{offset: -11 * chunk, length: -1, want: content},
		{offset: 5, length: -1, want: content[5:]},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d bytes at %d", tt.length, tt.offset), func(t *testing.T) {
			counted.bytes = 0
			got, attrs, err := storage.ReadAll(t.Context(), b, "a", storage.WithRange(tt.offset, tt.length))
			require.NoError(t, err)
			require.True(t, tt.want == string(got))
			require.EqualValues(t, size, attrs.Size)

			const tagBytes = sealedChunk - chunk // of each chunk
			wholeChunks := len(tt.want) / chunk
			// Besides the tags, one more chunk at each end may be read.
			limit := len(tt.want) + wholeChunks*tagBytes + 2*sealedChunk
			require.LessOrEqual(t, counted.bytes, int64(limit))
		})
	}
}

// A readCounter counts the bytes that the store sends.
type readCounter struct {
	driver.Driver
	bytes int64
}

// Get returns a body that counts the bytes that are read from it.
func (c *readCounter) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := c.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	type readCloser struct {
		io.Reader
		io.Closer
	}
	return attrs, readCloser{Reader: io.TeeReader(body, c), Closer: body}, nil
}

// Write counts bytes.
func (c *readCounter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return len(p), nil
}

// The layer works above and below a disk cache. If the cache is below the layer, the files of the
// cache have no plain text.
func TestLayerWithDiskCache(t *testing.T) {
	secret := strings.Repeat("secret", 50_000)
	tests := []struct {
		name         string
		isCacheBelow bool // the cache is between the store and the layer
	}{
		{name: "the cache below the layer", isCacheBelow: true},
		{name: "the cache above the layer", isCacheBelow: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir() + "/cache"
			cache, err := diskcache.Open(dir, diskcache.Config{})
			require.NoError(t, err)

			// Each layer is above the one before it.
			layers := []storage.OpenOption{
				driver.WithLayer(cache.Layer()), driver.WithLayer(newLayer(t, newKeys(t))),
			}
			if !tt.isCacheBelow {
				slices.Reverse(layers)
			}
			b := memstore.New(layers...)
			attrs := mustUpload(t, b, "a", secret)

			// The second read uses the files of the cache.
			const offset, length = 70_000, 200_000
			for range 2 {
				got, _, err := storage.ReadAll(t.Context(), b, "a", storage.IfRevision(attrs.Revision),
					storage.WithRange(offset, length))
				require.NoError(t, err)
				require.Equal(t, secret[offset:offset+length], string(got))
			}

			require.NoError(t, cache.Close())
			onDisk := textOfFiles(t, dir)
			require.NotEmpty(t, onDisk)
			if tt.isCacheBelow {
				require.False(t, strings.Contains(onDisk, "secret"), "plain text on the disk")
			} else {
				require.True(t, strings.Contains(onDisk, "secret"), "no plain text on the disk")
			}
		})
	}
}

// textOfFiles returns the joined contents of all files in a directory and its folders.
func textOfFiles(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		text.Write(data)
		return err
	}))
	return text.String()
}

// Listings have the sizes of the plain bytes.
func TestListSizes(t *testing.T) {
	s := newStore()
	b := s.open(t, newKeys(t))
	for _, size := range append(sizes, 1000*chunk+1) {
		attrs := mustUpload(t, b, "a", randomText(size))
		require.Equal(t, int64(size), attrs.Size)
		for entry, err := range b.List(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, int64(size), entry.Size)
		}
	}
}

// WithCRC32C takes the checksum of the plain bytes.
func TestWithCRC32CIsOfPlainBytes(t *testing.T) {
	s := newStore()
	b := s.open(t, newKeys(t))
	const content, crc = "123456789", 0xe3069283

	attrs := mustUpload(t, b, "a", content, storage.WithCRC32C(crc))
	require.Equal(t, storage.CRC32C{Sum: crc, Known: true}, attrs.CRC32C)

	_, err := b.Upload(t.Context(), "b", strings.NewReader(content), storage.WithCRC32C(crc+1))
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	exists, err := b.Exists(t.Context(), "b")
	require.NoError(t, err)
	require.False(t, exists)

	current, err := b.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, current.CRC32C.Known, "the store has that of the encrypted bytes")
}

// PublicURL of an encrypted bucket is the address of a server that decrypts, and never that of the
// store.
func TestPublicURLIsThatOfServer(t *testing.T) {
	layer := driver.WithLayer(newLayer(t, newKeys(t)))
	_, err := memstore.New(storage.WithPublicAccess(true), layer).PublicURL("a")

	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.NotPublic, storageErr.Code)
	require.Contains(t, storageErr.Hint, "WithPublicBaseURL, where package serve serves it")

	address, err := memstore.New(storage.WithPublicBaseURL("https://files.example/"), layer).PublicURL("a")
	require.NoError(t, err)
	require.Equal(t, "https://files.example/a", address)
}
