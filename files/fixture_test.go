package files_test

import (
	"context"
	"errors"
	"hash/crc32"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/internal/testing/filestest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// These are shared with package recordstest.
const token = filestest.Token

var (
	named   = filestest.Named
	part    = filestest.Part
	content = filestest.Content
	refused = filestest.Refused
	listed  = filestest.Listed
	text    = filestest.Text
)

// A clock is the clock of the store and the bucket. Tests move it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// A fixture is a store with its parts.
type fixture struct {
	*files.Store
	driver  storage.Driver // nil if the test has only the bucket
	bucket  storage.Bucket
	records files.Records
	clock   *clock
}

// inMemory returns a store on a new bucket with a clock that the test controls.
func inMemory(t *testing.T, c files.Config, opts ...storage.OpenOption) *fixture {
	t.Helper()
	clock := newClock()
	return on(t, memstore.NewDriver(memstore.Config{Now: clock.Now}), clock, c, opts...)
}

// inADirectory returns such a store on a local directory.
func inADirectory(t *testing.T, c files.Config, opts ...storage.OpenOption) *fixture {
	t.Helper()
	clock := newClock()
	d, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true, Now: clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return on(t, d, clock, c, opts...)
}

func on(t *testing.T, d storage.Driver, clock *clock, c files.Config, opts ...storage.OpenOption) *fixture {
	t.Helper()
	f := newFixture(t, c, clock, storage.New(d, opts...))
	f.driver = d
	return f
}

func newFixture(t *testing.T, c files.Config, clock *clock, b storage.Bucket) *fixture {
	t.Helper()
	f := &fixture{bucket: b, records: files.BucketRecords(b), clock: clock}
	c.Now = clock.Now
	var err error
	f.Store, err = files.New(b, f.records, c)
	require.NoError(t, err)
	f.SetWait(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	return f
}

// beside returns another store on the same objects, like that of another process.
func (f *fixture) beside(t *testing.T, opts ...storage.OpenOption) *fixture {
	t.Helper()
	return f.withLayers(t, files.Config{}, opts...)
}

// withLayers returns another store of f's, configured as c.
func (f *fixture) withLayers(t *testing.T, c files.Config, opts ...storage.OpenOption) *fixture {
	t.Helper()
	return on(t, f.driver, f.clock, c, opts...)
}

var errDead = errors.New("the process was killed")

// A death kills a process: before its call number "before", or after its first call
// "after". None of its later calls is executed.
type death struct {
	before int
	after  string
	mu     sync.Mutex
	calls  int
	dead   bool
}

func (d *death) layer(next storage.Driver) storage.Driver {
	return storage.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
		d.mu.Lock()
		d.calls++
		if d.dead = d.dead || d.calls == d.before; d.dead {
			d.mu.Unlock()
			return &storage.Error{Code: storage.Internal, Err: errDead}
		}
		d.dead = call == d.after
		lost := d.dead
		d.mu.Unlock()
		if err := next(ctx); err != nil || !lost {
			return err
		}
		return &storage.Error{Code: storage.Internal, Unknown: true, Err: errDead}
	})
}

// mortal returns a store beside f whose process is killed.
func (f *fixture) mortal(t *testing.T, d *death) *fixture {
	t.Helper()
	return f.beside(t, storage.WithLayer(d.layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
}

func (f *fixture) upload(t *testing.T, content string) *files.Record {
	t.Helper()
	r, err := f.Upload(t.Context(), strings.NewReader(content), named("note.txt"))
	require.NoError(t, err)
	return r
}

// under returns the keys with a prefix.
func under(t *testing.T, b storage.Lister, prefix string) []string {
	t.Helper()
	keys := []string{}
	for entry, err := range b.List(t.Context(), storage.WithPrefix(prefix)) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// whole checks the invariant for client files and temp files. There is a record if
// and only if the bytes exist, with the length and checksum of the record.
func whole(t *testing.T, b storage.Bucket, records files.Records) {
	t.Helper()
	for prefix, records := range map[string]files.Records{
		"files/client/": records,
		"files/temp/":   files.TempRecords(b),
	} {
		var want []string
		ids, next, err := records.IDs(t.Context(), "", 1000)
		require.NoError(t, err)
		require.Empty(t, next)
		for _, id := range ids {
			r, err := records.Record(t.Context(), id)
			require.NoError(t, err)
			key := prefix + r.ID + r.FileExt
			want = append(want, key)
			data, attrs, err := storage.ReadAll(t.Context(), b, key)
			require.NoError(t, err, "a record without bytes")
			require.Equal(t, r.OriginalLength, int64(len(data)))
			require.Equal(t, r.MIMEType, attrs.ContentType)
			if r.CRC32C.Known {
				require.Equal(t, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)), r.CRC32C.Sum)
			}
		}
		require.ElementsMatch(t, want, under(t, b, prefix), "bytes without a record, or a record without bytes")
	}
}
