package encrypt_test

import (
	"context"
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

// Rewrap encrypts the data key of an object for other keys. It reads and writes no content.
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
	content := text(2*chunk + 3)
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

// If another client replaces the object during Rewrap, Rewrap fails and the newer object stays.
func TestRewrapReplacesNoNewerObject(t *testing.T) {
	s := newStore()
	keys := newKeys(t)
	b := s.open(t, keys)
	mustUpload(t, b, "a", "old")
	replaceFirst := func() {
		mustUpload(t, b, "a", "newer")
	}
	racing := engine.New(&overtaken{Driver: s.Driver, beforeCopy: replaceFirst},
		driver.WithLayer(newLayer(t, keys)))

	_, err := encrypt.Rewrap(t.Context(), racing, "a")
	require.Contains(t, []storage.Code{storage.PreconditionFailed, storage.Changed}, storage.CodeOf(err),
		"%v", err)
	got, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "newer", string(got))
}

// An overtaken driver calls a function before each copy, so that another client can write.
type overtaken struct {
	driver.Driver
	beforeCopy func()
}

func (d *overtaken) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	d.beforeCopy()
	return d.Driver.Copy(ctx, r)
}

// Rewrap is unsupported if the store cannot copy, or cannot replace a revision.
func TestRewrapNeedsCopiesInTheStoreWithConditions(t *testing.T) {
	for _, lacks := range []storage.Features{storage.ServerCopy, storage.ConditionalUpdate} {
		b := engine.New(memstore.NewDriver(memstore.Config{}),
			driver.WithLayer(faults.WithLimits(faults.Limits{Disable: lacks})),
			driver.WithLayer(newLayer(t, newKeys(t))))
		mustUpload(t, b, "a", "x")
		_, err := encrypt.Rewrap(t.Context(), b, "a")
		require.ErrorIs(t, err, storage.Unsupported)
	}
}

// A store without metadata is unsupported.
func TestLayerNeedsMetadata(t *testing.T) {
	b := engine.New(memstore.NewDriver(memstore.Config{}),
		driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.Metadata})),
		driver.WithLayer(newLayer(t, newKeys(t))))
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.ErrorIs(t, err, storage.Unsupported)
}

// A copy between two buckets with the same layer is made by the store. Between other buckets, the object is
// decrypted and encrypted again.
func TestCopyBetweenBuckets(t *testing.T) {
	content := text(chunk + 1)
	tests := map[string]struct {
		from, to string // the layer of each bucket
		moves    bool   // the bytes are read and written
		encrypts bool
	}{
		"one layer":         {from: "first", to: "first", encrypts: true},
		"two layers":        {from: "first", to: "second", moves: true, encrypts: true},
		"from plain":        {from: "none", to: "first", moves: true, encrypts: true},
		"to plain":          {from: "first", to: "none", moves: true},
		"plain, as without": {from: "none", to: "none"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			service := memstore.NewServiceDriver(memstore.ServiceConfig{})
			for _, bucket := range []string{"from", "to"} {
				_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: bucket})
				require.NoError(t, err)
			}

			keys := boundKeys{newKeys(t)}
			layers := map[string]driver.Layer{
				"first":  newLayer(t, keys),
				"second": newLayer(t, keys),
				"none":   func(d driver.Driver) driver.Driver { return d },
			}
			calls := faults.New()
			open := func(bucket, layer string) storage.Bucket {
				d, err := service.Driver(bucket)
				require.NoError(t, err)
				return engine.New(d, driver.WithLayer(calls.Layer()), driver.WithLayer(layers[layer]))
			}
			src := open("from", tt.from)
			dst := open("to", tt.to)
			mustUpload(t, src, "a", content)
			calls.Reset()

			_, err := storage.Copy(t.Context(), dst, "b", src, "a")
			require.NoError(t, err)
			require.Equal(t, tt.moves, calls.Count(faults.Get) > 0, "%v", calls)

			got, _, err := storage.ReadAll(t.Context(), dst, "b")
			require.NoError(t, err)
			require.Equal(t, content, string(got))

			raw, _, err := storage.ReadAll(t.Context(), open("to", "none"), "b")
			require.NoError(t, err)
			require.Equal(t, tt.encrypts, string(raw) != content)
		})
	}
}

// A range costs at most one chunk more at each end, and nothing is decrypted to learn a size.
func TestRangeReadsOnlyItsChunks(t *testing.T) {
	s := newStore()
	keys := newKeys(t)
	content := text(10*chunk + 5)
	counted := &readCounter{Driver: s.Driver}
	b := engine.New(counted, driver.WithLayer(newLayer(t, keys)))
	mustUpload(t, b, "a", content)

	ranges := []storage.Range{
		{Offset: 0, Length: 1},
		{Offset: chunk - 1, Length: 2},
		{Offset: chunk, Length: chunk},
		{Offset: 3*chunk + 7, Length: 2 * chunk},
		{Offset: 10 * chunk, Length: -1},
		{Offset: 10*chunk + 4, Length: 1},
		{Offset: -1, Length: -1},
		{Offset: -chunk, Length: -1},
		{Offset: -11 * chunk, Length: -1},
		{Offset: 5, Length: -1},
	}
	for _, r := range ranges {
		counted.bytes = 0
		got, attrs, err := storage.ReadAll(t.Context(), b, "a", storage.WithRange(r.Offset, r.Length))
		require.NoError(t, err)

		start := r.Offset
		if start < 0 {
			start = max(0, int64(len(content))+start)
		}
		end := int64(len(content))
		if r.Length >= 0 {
			end = start + r.Length
		}
		require.True(t, content[start:end] == string(got), "%+v", r)
		require.Equal(t, int64(len(content)), attrs.Size)

		// Each chunk has a tag of 16 bytes.
		const tag = sealedChunk - chunk
		most := end - start + (end-start)/chunk*tag + 2*sealedChunk
		require.LessOrEqual(t, counted.bytes, most, "%+v", r)
	}
}

// A readCounter counts the bytes that the store sends.
type readCounter struct {
	driver.Driver
	bytes int64
}

func (c *readCounter) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := c.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	return attrs, struct {
		io.Reader
		io.Closer
	}{io.TeeReader(body, c), body}, nil
}

func (c *readCounter) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return len(p), nil
}

// The layer works with a cache on the disk in either order. If the cache is below the layer, its files have no
// plain text.
func TestLayerWithDiskCache(t *testing.T) {
	secret := strings.Repeat("secret", 50_000)
	for name, encryptedOnDisk := range map[string]bool{
		"diskcache, then encrypt": true,
		"encrypt, then diskcache": false,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir() + "/cache"
			cache, err := diskcache.Open(dir, diskcache.Config{})
			require.NoError(t, err)
			layers := []storage.OpenOption{
				driver.WithLayer(cache.Layer()), driver.WithLayer(newLayer(t, newKeys(t))),
			}
			if !encryptedOnDisk {
				slices.Reverse(layers)
			}
			b := memstore.New(layers...)
			attrs := mustUpload(t, b, "a", secret)

			for range 2 {
				got, _, err := storage.ReadAll(t.Context(), b, "a", storage.IfRevision(attrs.Revision),
					storage.WithRange(70_000, 200_000))
				require.NoError(t, err)
				require.Equal(t, secret[70_000:270_000], string(got))
			}

			// Only a cache above the layer has plain text in its files.
			require.NoError(t, cache.Close())
			var files strings.Builder
			require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				data, err := os.ReadFile(path)
				files.Write(data)
				return err
			}))
			require.NotZero(t, files.Len())
			require.Equal(t, encryptedOnDisk, !strings.Contains(files.String(), "secret"))
		})
	}
}

// Sizes in listings are those of the plain bytes.
func TestListSizes(t *testing.T) {
	s := newStore()
	b := s.open(t, newKeys(t))
	for _, size := range append(sizes, 1000*chunk+1) {
		attrs := mustUpload(t, b, "a", text(size))
		require.Equal(t, int64(size), attrs.Size)
		for entry, err := range b.List(t.Context()) {
			require.NoError(t, err)
			require.Equal(t, int64(size), entry.Size)
		}
	}
}

// WithCRC32C expects the checksum of the plain bytes.
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

// PublicURL of an encrypted bucket returns the address of a server that decrypts, not the store's own address.
func TestPublicURLIsThatOfServer(t *testing.T) {
	layer := driver.WithLayer(newLayer(t, newKeys(t)))
	_, err := memstore.New(storage.WithPublicAccess(true), layer).PublicURL("a")

	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.NotPublic, e.Code)
	require.Contains(t, e.Hint, "WithPublicBaseURL, where package serve serves it")

	address, err := memstore.New(storage.WithPublicBaseURL("https://files.example/"), layer).PublicURL("a")
	require.NoError(t, err)
	require.Equal(t, "https://files.example/a", address)
}
