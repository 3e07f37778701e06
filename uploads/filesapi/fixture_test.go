package filesapi_test

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
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// token is the token with which most tests name their upload in parts.
const token = "token-1234"

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

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A fixture is a store, with the bucket, the records and the clock that it uses.
type fixture struct {
	store   *filesapi.Store
	driver  driver.Driver // nil if the test has only the bucket
	bucket  storage.Bucket
	records uploads.Records
	// database has the records and states if the bucket has no conditional writes. If it is nil,
	// they are in the bucket.
	database *database
	clock    *clock
	inspect  func(context.Context, *filesapi.Record, *storage.ReaderAt) error // of the stores beside, too
}

// newMemoryFixture returns a store on a new bucket with a clock that the test controls.
func newMemoryFixture(t *testing.T, c filesapi.StoreConfig, opts ...storage.OpenOption) *fixture {
	t.Helper()
	clock := newClock()
	return newFixtureOn(t, memstore.NewDriver(memstore.Config{Now: clock.Now}), clock, c, opts...)
}

// newDirectoryFixture returns a fixture with a store on a local directory.
func newDirectoryFixture(t *testing.T, c filesapi.StoreConfig, opts ...storage.OpenOption) *fixture {
	t.Helper()
	clock := newClock()
	d, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true, Now: clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return newFixtureOn(t, d, clock, c, opts...)
}

// newDatabaseFixture returns a fixture with a store on a bucket without conditions. Records and states are in a
// database.
func newDatabaseFixture(t *testing.T, c filesapi.StoreConfig, opts ...storage.OpenOption) *fixture {
	t.Helper()
	f := &fixture{clock: newClock()}
	limits := faults.Limits{
		Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
	}
	f.driver = faults.WithLimits(limits)(memstore.NewDriver(memstore.Config{Now: f.clock.Now}))
	f.database = newDatabase(f.clock.Now)
	return f.withLayers(t, c, opts...)
}

// withoutRetry makes the first failure of a call final.
var withoutRetry = storage.WithRetry(storage.RetryPolicy{Attempts: 1})

// longIdle is longer than the defaults of Grace, PartsTTL and TempAge, which are 24 hours.
const longIdle = 25 * time.Hour

// An opener opens a store for a test. There is one opener for each place where the states of uploads can be.
type opener struct {
	name string
	open func(t *testing.T, c filesapi.StoreConfig, opts ...storage.OpenOption) *fixture
}

func openers() []opener {
	return []opener{{name: "states in the bucket", open: newMemoryFixture}, {name: "states in a database", open: newDatabaseFixture}}
}

// runOnEachStore runs a test once for each place where the states of uploads can be: in the bucket, or in a database.
func runOnEachStore(t *testing.T, test func(t *testing.T, o opener)) {
	t.Helper()
	for _, o := range openers() {
		t.Run(o.name, func(t *testing.T) {
			test(t, o)
		})
	}
}

// newFixtureOn returns a store on a new bucket of a driver.
func newFixtureOn(t *testing.T, d driver.Driver, clock *clock, c filesapi.StoreConfig, opts ...storage.OpenOption) *fixture {
	t.Helper()
	f := &fixture{driver: d, clock: clock}
	return f.withLayers(t, c, opts...)
}

// newFixture returns a store on a bucket. The fixture has no driver.
func newFixture(t *testing.T, c filesapi.StoreConfig, clock *clock, bucket storage.Bucket) *fixture {
	t.Helper()
	return (&fixture{clock: clock}).openOn(t, c, bucket)
}

// openOn returns a store on a bucket, with the clock of f. It has the database and the Inspect of f, if there are any.
func (f *fixture) openOn(t *testing.T, c filesapi.StoreConfig, bucket storage.Bucket) *fixture {
	t.Helper()
	other := *f
	other.bucket = bucket
	other.records = uploads.BucketRecords(bucket)
	if f.database != nil {
		other.records = f.database
	}
	if c.Inspect != nil {
		other.inspect = c.Inspect
	}

	c.Now = f.clock.Now
	c.Inspect = other.inspect
	var err error
	other.store, err = filesapi.NewStore(bucket, other.records, c)
	require.NoError(t, err)
	other.store.SetWait(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	return &other
}

// openBeside returns another store on the same objects, as another process would open it.
func (f *fixture) openBeside(t *testing.T, opts ...storage.OpenOption) *fixture {
	t.Helper()
	return f.withLayers(t, filesapi.StoreConfig{}, opts...)
}

// withLayers returns another store on the objects of f, with the configuration c.
func (f *fixture) withLayers(t *testing.T, c filesapi.StoreConfig, opts ...storage.OpenOption) *fixture {
	t.Helper()
	return f.openOn(t, c, engine.New(f.driver, opts...))
}

var errDead = errors.New("the process was killed")

// A killer kills a process, either before the call with a given number or after its first call of a
// given kind. Later calls of the process are not executed.
type killer struct {
	beforeCall int
	afterCall  string

	mu    sync.Mutex
	calls int
	dead  bool
}

// layer is the layer of the process's bucket.
func (k *killer) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
		return k.call(call, func() error { return next(ctx) })
	})
}

// call makes one call of a process. If the process is dead, it does not make the call.
func (k *killer) call(kind string, next func() error) error {
	k.mu.Lock()
	k.calls++
	k.dead = k.dead || k.calls == k.beforeCall
	if k.dead {
		k.mu.Unlock()
		return &storage.Error{Code: storage.Internal, Err: errDead}
	}
	k.dead = kind == k.afterCall && kind != ""
	lost := k.dead // this call is executed, and its response is lost
	k.mu.Unlock()

	if err := next(); err != nil || !lost {
		return err
	}
	return &storage.Error{Code: storage.Internal, Unknown: true, Err: errDead}
}

// openWithKiller opens a store as another process would, with the bucket and the records of f. The killer ends that
// process during one of its calls.
func (f *fixture) openWithKiller(t *testing.T, k *killer) *fixture {
	t.Helper()
	s := f.openBeside(t, driver.WithLayer(k.layer), withoutRetry)
	if f.database == nil {
		return s
	}

	r := &failingRecords{Records: f.database, killer: k}
	database := &failingDatabase{r, r, f.database}
	var err error
	s.store, err = filesapi.NewStore(s.bucket, database, filesapi.StoreConfig{Now: f.clock.Now, Inspect: f.inspect})
	require.NoError(t, err)
	s.store.SetWait(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
	return s
}

// upload stores note.txt with this content.
func (f *fixture) upload(t *testing.T, content string) *filesapi.Record {
	t.Helper()
	record, err := f.store.Upload(t.Context(), strings.NewReader(content), fileOptions("note.txt"))
	require.NoError(t, err)
	return record
}

// keysUnder returns the keys with a prefix.
func keysUnder(t *testing.T, b storage.Lister, prefix string) []string {
	t.Helper()
	keys := []string{}
	for entry, err := range b.List(t.Context(), storage.WithPrefix(prefix)) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	return keys
}

// requireRecordsMatchObjects checks that a record exists if and only if the bytes of its file
// exist, with the length and checksum of the record. It checks client files and temp files.
func requireRecordsMatchObjects(t *testing.T, bucket storage.Bucket, records uploads.Records) {
	t.Helper()
	var want []string
	ids, next, err := records.IDs(t.Context(), "", 1000)
	require.NoError(t, err)
	require.Empty(t, next)

	for _, id := range ids {
		record, err := records.Record(t.Context(), id)
		require.NoError(t, err)
		want = append(want, record.Key)

		data, attrs, err := storage.ReadAll(t.Context(), bucket, record.Key)
		require.NoError(t, err, "a record without bytes")
		require.Equal(t, record.Size, int64(len(data)))
		require.Equal(t, record.ContentType, attrs.ContentType)

		if record.CRC32C.Known {
			require.Equal(t, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)), record.CRC32C.Sum)
		}
	}
	require.ElementsMatch(t, want, keysUnder(t, bucket, "files/client/"), "bytes without a record, or a record without bytes")
}

// requireRecordsMatchObjectsAfterSweep runs requireRecordsMatchObjects. If the bucket has no
// IfAbsent, it first runs Sweep, because two calls may both join the parts. Sweep removes the bytes
// that were joined in vain.
func requireRecordsMatchObjectsAfterSweep(t *testing.T, f *fixture) {
	t.Helper()
	if f.database != nil {
		f.clock.Advance(longIdle)
		f.sweep(t)
	}
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// statesInBucket returns the number of objects that hold the state of one upload in parts.
func (f *fixture) statesInBucket() int {
	if f.database != nil {
		return 0
	}
	return 1
}
