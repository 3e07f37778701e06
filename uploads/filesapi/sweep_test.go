package filesapi_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// putObject stores an object of one byte.
func (f *fixture) putObject(t *testing.T, key string) {
	t.Helper()
	_, err := f.bucket.Upload(t.Context(), key, strings.NewReader("x"))
	require.NoError(t, err)
}

// sweep runs Sweep, which must succeed.
func (f *fixture) sweep(t *testing.T, opts ...uploads.SweepOption) *uploads.SweepReport {
	t.Helper()
	report, err := f.store.Sweep(t.Context(), opts...)
	require.NoError(t, err)
	return report
}

// Sweep removes bytes without a record only once they are as old as Grace, because their upload may be in progress.
func TestSweepRemovesBytesWithoutARecord(t *testing.T) {
	const grace = 2 * time.Hour
	f := newMemoryFixture(t, filesapi.StoreConfig{Grace: grace})
	f.upload(t, "stays")
	f.putObject(t, "files/client/"+uploads.NewID(f.clock.Now())+".txt")

	f.clock.Advance(grace - time.Second)
	require.Equal(t, &uploads.SweepReport{}, f.sweep(t))
	f.clock.Advance(time.Second)
	require.Equal(t, &uploads.SweepReport{Bytes: 1}, f.sweep(t))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// Sweep takes the age of bytes from the clock of the store, and not from Config.Now.
func TestSweepAsksTheStoreForTheTime(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	wrongClock := func() time.Time { return f.clock.Now().Add(1000 * time.Hour) }
	store, err := filesapi.NewStore(f.bucket, f.records, filesapi.StoreConfig{Now: wrongClock})
	require.NoError(t, err)
	f.upload(t, "stays")
	f.putObject(t, "files/client/"+uploads.NewID(f.clock.Now()))

	report, err := store.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Bytes)
}

// Sweep ignores an option that is nil.
func TestSweepIgnoresANilOption(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	require.Equal(t, &uploads.SweepReport{}, f.sweep(t, nil, uploads.WithoutOrphanLimit()))
}

// Sweep removes a record whose bytes are gone.
func TestSweepRemovesRecordsWithoutBytes(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	lost := f.upload(t, "lost")
	stays := f.upload(t, "stays")
	require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+lost.ID+".txt"))
	require.Equal(t, &uploads.SweepReport{Records: 1}, f.sweep(t))
	require.Equal(t, []string{stays.ID}, listIDs(t, f.store, uploads.Filter{}, 10))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// Sweep finds the files that have only bytes, and those that have only a record, among many others.
func TestSweepAmongMany(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})

	// Store files in turn that lack their bytes, lack their record, and are whole.
	const filesOfEachKind = 20
	var whole []string
	for range filesOfEachKind {
		withoutBytes := f.upload(t, "x")
		require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+withoutBytes.ID+".txt"))
		f.clock.Advance(time.Millisecond)

		withoutRecord := f.upload(t, "x")
		require.NoError(t, f.records.Remove(t.Context(), &uploads.File{ID: withoutRecord.ID}))
		f.clock.Advance(time.Millisecond)

		whole = append(whole, f.upload(t, "x").ID)
		f.clock.Advance(time.Millisecond)
	}

	f.clock.Advance(24 * time.Hour)
	report := f.sweep(t, uploads.WithoutOrphanLimit())
	require.Equal(t, &uploads.SweepReport{Bytes: filesOfEachKind, Records: filesOfEachKind}, report)
	require.Equal(t, whole, listIDs(t, f.store, uploads.Filter{}, 7))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// staleRecords list IDs as they were a while ago, in pages of which the first has one ID.
type staleRecords struct {
	uploads.Records
	hide    string // ID that was created since
	between func() // called between the first page and the second
}

// IDs shortens the first page, but only in a Sweep, which asks for more than 100 IDs.
func (r *staleRecords) IDs(ctx context.Context, startAfter string, limit int) ([]string, string, error) {
	if startAfter != "" && r.between != nil {
		r.between()
		r.between = nil
	}
	ids, next, err := r.Records.IDs(ctx, startAfter, limit)
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == r.hide })
	if startAfter == "" && limit > 100 && len(ids) > 0 {
		return ids[:1], ids[0], err
	}
	return ids, next, err
}

// Sweep keeps a file that appears between its listings of bytes and of records, because it checks again before it
// removes anything.
func TestSweepChecksAgainBeforeItRemoves(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	listed := f.upload(t, "in both listings")
	f.clock.Advance(time.Second)
	onlyBytes := f.upload(t, "only its bytes are listed")
	f.clock.Advance(longIdle)

	// The listing of records lacks one of them, as if that had been made a moment ago. Between the pages of the listing,
	// a third file is stored, of which only the record is listed.
	var onlyRecord *filesapi.Record
	stale := &staleRecords{
		Records: f.records,
		hide:    onlyBytes.ID,
		between: func() {
			onlyRecord = f.upload(t, "its bytes came when they had been listed")
		},
	}
	sweeping, err := filesapi.NewStore(f.bucket, stale, filesapi.StoreConfig{})
	require.NoError(t, err)

	// Sweep removes nothing.
	report, err := sweeping.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, &uploads.SweepReport{}, report)
	require.NotNil(t, onlyRecord)
	ids := []string{listed.ID, onlyBytes.ID, onlyRecord.ID}
	require.ElementsMatch(t, ids, listIDs(t, f.store, uploads.Filter{}, 10))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// lateRecords are created after their bytes were swept, because the upload's process
// was suspended.
type lateRecords struct {
	uploads.Records
	before func()
}

func (r lateRecords) Create(ctx context.Context, one *uploads.File) error {
	r.before()
	return r.Records.Create(ctx, one)
}

// An upload that takes longer than Grace fails, because Sweep removes its bytes.
func TestSweepOfUploadLongerThanGrace(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{Grace: time.Nanosecond})
	sweepBytes := func() {
		f.clock.Advance(time.Second)
		require.Equal(t, 1, f.sweep(t).Bytes)
	}
	late := lateRecords{Records: f.records, before: sweepBytes}
	s, err := filesapi.NewStore(f.bucket, late, filesapi.StoreConfig{Grace: time.Nanosecond})
	require.NoError(t, err)

	_, err = s.Upload(t.Context(), strings.NewReader("x"), fileOptions("a.txt"))
	requireRefused(t, err, "file", uploads.StoreFailed, storage.Unavailable)
	require.Empty(t, listIDs(t, f.store, uploads.Filter{}, 10))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// Sweep removes nothing while files are stored, completed and deleted at the same time.
func TestSweepDuringOtherOperations(t *testing.T) {
	const (
		sweeperCount = 2
		senderCount  = 4
		rounds       = 25 // for each sender
	)
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	var sweepers, senders sync.WaitGroup

	// Sweep runs again and again until the senders have ended.
	sendersEnded := make(chan struct{})
	for range sweeperCount {
		sweepers.Go(func() {
			for {
				report, err := f.store.Sweep(t.Context())
				if !assert.NoError(t, err) || !assert.Equal(t, &uploads.SweepReport{}, report) {
					return
				}
				select {
				case <-sendersEnded:
					return
				default:
				}
			}
		})
	}

	// In each round, a sender stores a file and a file in parts. In every second round, it deletes the first one.
	for i := range senderCount {
		senders.Go(func() {
			for round := range rounds {
				record, err := f.store.Upload(t.Context(), strings.NewReader("x"), fileOptions("a.txt"))
				if !assert.NoError(t, err) {
					return
				}
				opts := partOptions(fmt.Sprintf("token-%d-%d", i, round), 2, 1)
				_, err = f.store.UploadPart(t.Context(), strings.NewReader("x"), opts)
				assert.NoError(t, err)
				if round%2 == 0 {
					assert.NoError(t, f.store.Delete(t.Context(), record.ID))
				}

				opts.Part = 2
				record, err = f.store.UploadPart(t.Context(), strings.NewReader("y"), opts)
				assert.NoError(t, err)
				assert.NotNil(t, record)
			}
		})
	}

	senders.Wait()
	close(sendersEnded)
	sweepers.Wait()

	// One file is left of each round with a deletion, and two of each other round.
	require.Len(t, listIDs(t, f.store, uploads.Filter{}, 1000), senderCount*(rounds+rounds/2))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// Sweep keeps objects of other programs, even under the prefixes of the store.
func TestSweepKeepsObjectsOfOtherPrograms(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.upload(t, "x")

	// Other programs write objects, whose keys are not those of the store.
	strangers := []string{
		"files/client/logo.png",
		"files/client/" + strings.Repeat("z", 36),
		"files/parts/notes.txt",
		"files/records/client/a.json",
		"other/x",
	}
	for _, key := range strangers {
		f.putObject(t, key)
	}
	f.clock.Advance(100 * time.Hour)

	require.Equal(t, &uploads.SweepReport{}, f.sweep(t))
	require.Subset(t, keysUnder(t, f.bucket, ""), strangers)
	require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
}

// Sweep removes a temp file once it is as old as TempAge, but no client file.
func TestSweepRemovesTempFilesByAge(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{TempAge: 2 * time.Hour})
	clientFile := f.upload(t, "a client file stays")
	uploadTemp := func() string {
		r, err := f.store.UploadTemp(t.Context(), strings.NewReader("temp"), fileOptions("a.txt"))
		require.NoError(t, err)
		return r.ID
	}

	// One temp file is an hour older than the other.
	old := uploadTemp()
	f.clock.Advance(time.Hour)
	young := uploadTemp()
	f.clock.Advance(time.Hour)

	// The older file is removed.
	require.Equal(t, &uploads.SweepReport{Expired: 1}, f.sweep(t))
	_, _, err := f.store.DownloadTemp(t.Context(), old)
	requireRefused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
	r, _, err := f.store.DownloadTemp(t.Context(), young)
	require.NoError(t, err)
	require.NoError(t, r.Close())

	// An hour later, the second temp file is removed, too.
	f.clock.Advance(time.Hour)
	require.Equal(t, &uploads.SweepReport{Expired: 1}, f.sweep(t))
	require.Len(t, keysUnder(t, f.bucket, "files/client/"), 1)
	require.Empty(t, keysUnder(t, f.bucket, "files/expiry/"))
	require.Equal(t, "a client file stays", readContent(t, f.store, clientFile.ID))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// One Sweep removes more temp files than a page of a listing has.
func TestSweepOfManyTempFiles(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{TempAge: time.Minute})
	const files = 250
	for range files {
		_, err := f.store.UploadTemp(t.Context(), strings.NewReader("temp"), fileOptions("a.txt"))
		require.NoError(t, err)
	}
	f.clock.Advance(time.Minute)
	require.Equal(t, &uploads.SweepReport{Expired: files}, f.sweep(t))
	require.Empty(t, keysUnder(t, f.bucket, ""))
}

// Sweep removes the parts of a temp file after PartsTTL, and not after TempAge.
func TestSweepOfPartsOfTempFiles(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{TempAge: time.Minute})
	_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("a"), part(1).of(2))
	require.NoError(t, err)

	f.clock.Advance(time.Hour)
	f.sweep(t)
	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 2)

	const defaultPartsTTL = 24 * time.Hour
	f.clock.Advance(defaultPartsTTL)
	f.sweep(t)
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
}
