package filesapi_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// Sweep removes an object without a record when it is as old as Grace. A younger one may belong to an upload that has
// not ended.
func TestSweepRemovesBytesWithoutARecord(t *testing.T) {
	const grace = 2 * time.Hour
	f := newMemoryFixture(t, filesapi.StoreConfig{Grace: grace})
	f.upload(t, "has a record")
	withoutRecord := "files/client/" + uploads.NewID(f.clock.Now()) + ".txt"
	f.putObject(t, withoutRecord)

	// The object is too young.
	f.clock.Advance(grace - time.Second)
	require.Equal(t, &uploads.SweepReport{}, f.sweep(t))
	require.Contains(t, keysUnder(t, f.bucket, ""), withoutRecord)

	// The object is old enough.
	f.clock.Advance(time.Second)
	require.Equal(t, &uploads.SweepReport{Bytes: 1}, f.sweep(t))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// Sweep takes the age of an object from the clock of the bucket, because the clock of the process may be wrong.
func TestSweepAsksTheStoreForTheTime(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	clockAhead := func() time.Time { return f.clock.Now().Add(1000 * time.Hour) }
	store, err := filesapi.NewStore(f.bucket, f.records, filesapi.StoreConfig{Now: clockAhead})
	require.NoError(t, err)

	// By the clock of the bucket, the object is too young to be removed.
	f.upload(t, "has a record")
	withoutRecord := "files/client/" + uploads.NewID(f.clock.Now())
	f.putObject(t, withoutRecord)

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

// Among many other files, Sweep finds those that have only bytes, and those that have only a
// record.
func TestSweepAmongMany(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})

	// Store three kinds of files in turn: one without its bytes, one without its record, and a
	// whole one.
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

// staleRecords list the IDs of an earlier moment, in pages. The first page has one ID.
type staleRecords struct {
	uploads.Records
	unlistedID       string // ID that was created since
	beforeSecondPage func() // is called between the first page and the second
}

// IDs shortens the first page, but only in a Sweep, which asks for more than 100 IDs.
func (r *staleRecords) IDs(ctx context.Context, startAfter string, limit int) ([]string, string, error) {
	if startAfter != "" && r.beforeSecondPage != nil {
		r.beforeSecondPage()
		r.beforeSecondPage = nil
	}
	ids, next, err := r.Records.IDs(ctx, startAfter, limit)
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == r.unlistedID })
	if startAfter == "" && limit > 100 && len(ids) > 0 {
		return ids[:1], ids[0], err
	}
	return ids, next, err
}

// Sweep compares a listing of objects with a listing of records. It keeps a file that is in only one of them, because
// the file may have been stored in between.
func TestSweepChecksAgainBeforeItRemoves(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	inBoth := f.upload(t, "both listings have it")
	f.clock.Advance(time.Second)
	onlyInObjects := f.upload(t, "the listing of records lacks it")
	f.clock.Advance(longIdle)

	// A third file is stored after the objects were listed, while the records are listed.
	var onlyInRecords *filesapi.Record
	stale := &staleRecords{
		Records:    f.records,
		unlistedID: onlyInObjects.ID,
		beforeSecondPage: func() {
			onlyInRecords = f.upload(t, "the listing of objects lacks it")
		},
	}
	sweeping, err := filesapi.NewStore(f.bucket, stale, filesapi.StoreConfig{})
	require.NoError(t, err)

	// Sweep removes nothing.
	report, err := sweeping.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, &uploads.SweepReport{}, report)
	require.NotNil(t, onlyInRecords)
	ids := []string{inBoth.ID, onlyInObjects.ID, onlyInRecords.ID}
	require.ElementsMatch(t, ids, listIDs(t, f.store, uploads.Filter{}, 10))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// lateRecords call beforeCreate before they create a record, as if the process of the upload was
// suspended meanwhile. In that time, Sweep can remove the bytes.
type lateRecords struct {
	uploads.Records
	beforeCreate func()
}

func (r lateRecords) Create(ctx context.Context, one *uploads.File) error {
	r.beforeCreate()
	return r.Records.Create(ctx, one)
}

// An upload that takes longer than Grace fails, because Sweep removes its bytes.
func TestSweepOfUploadLongerThanGrace(t *testing.T) {
	config := filesapi.StoreConfig{Grace: time.Nanosecond}
	f := newMemoryFixture(t, config)

	// A second passes between the upload of the bytes and the creation of the record, and Sweep removes the bytes.
	sweepBytes := func() {
		f.clock.Advance(time.Second)
		require.Equal(t, 1, f.sweep(t).Bytes)
	}
	late := lateRecords{Records: f.records, beforeCreate: sweepBytes}
	s, err := filesapi.NewStore(f.bucket, late, config)
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
	sweepErrs := make([]error, sweeperCount)
	for i := range sweepErrs {
		sweepers.Go(func() {
			sweepErrs[i] = sweepNothingUntil(t.Context(), f.store, sendersEnded)
		})
	}

	// In each round, a sender stores two files: one at once, and one in two parts. If the number of the round is even,
	// it deletes the first one.
	sendErrs := make([]error, senderCount)
	for i := range sendErrs {
		senders.Go(func() {
			for round := range rounds {
				token := fmt.Sprintf("token-%d-%d", i, round)
				isEven := round%2 == 0
				err := storeTwoFiles(t.Context(), f.store, token, isEven)
				sendErrs[i] = errors.Join(sendErrs[i], err)
			}
		})
	}

	senders.Wait()
	close(sendersEnded)
	sweepers.Wait()
	require.NoError(t, errors.Join(sweepErrs...))
	require.NoError(t, errors.Join(sendErrs...))

	// Each round has stored two files, and has deleted one of them if its number is even.
	const deletions = (rounds + 1) / 2
	require.Len(t, listIDs(t, f.store, uploads.Filter{}, 1000), senderCount*(2*rounds-deletions))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// sweepNothingUntil runs Sweep again and again until the channel is closed. It fails if a Sweep fails, or has something
// to report.
func sweepNothingUntil(ctx context.Context, s *filesapi.Store, closed chan struct{}) error {
	for {
		report, err := s.Sweep(ctx)
		if err != nil {
			return err
		}
		if *report != (uploads.SweepReport{}) {
			return fmt.Errorf("Sweep reports %+v", *report)
		}
		select {
		case <-closed:
			return nil
		default:
		}
	}
}

// storeTwoFiles stores a file at once, and another file in two parts. If deleteFirst is true, it
// deletes the first file between the two parts.
func storeTwoFiles(ctx context.Context, s *filesapi.Store, token string, deleteFirst bool) error {
	first, err := s.Upload(ctx, strings.NewReader("x"), fileOptions("a.txt"))
	if err != nil {
		return err
	}

	opts := part(1).of(2)
	opts.Token = token
	if _, err := s.UploadPart(ctx, strings.NewReader("x"), opts); err != nil {
		return err
	}
	if deleteFirst {
		if err := s.Delete(ctx, first.ID); err != nil {
			return err
		}
	}

	opts.Part = 2
	second, err := s.UploadPart(ctx, strings.NewReader("y"), opts)
	if err != nil {
		return err
	}
	if second == nil {
		return errors.New("the last part has made no file")
	}
	return nil
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

// Sweep removes a temp file when it is as old as TempAge, and keeps client files.
func TestSweepRemovesTempFilesByAge(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{TempAge: 2 * time.Hour})
	clientFile := f.upload(t, "a client file stays")
	uploadTemp := func() string {
		r, err := f.store.UploadTemp(t.Context(), strings.NewReader("temp"), fileOptions("a.txt"))
		require.NoError(t, err)
		return r.ID
	}

	old := uploadTemp()
	f.clock.Advance(time.Hour)
	young := uploadTemp()
	f.clock.Advance(time.Hour)

	// The old file has an age of two hours and is removed. The young one has an age of one hour.
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

// Sweep removes the parts of an unfinished temp file after PartsTTL. It keeps them if only TempAge
// has passed.
func TestSweepOfPartsOfTempFiles(t *testing.T) {
	const (
		tempAge  = time.Minute
		partsTTL = time.Hour
	)
	f := newMemoryFixture(t, filesapi.StoreConfig{TempAge: tempAge, PartsTTL: partsTTL})
	_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("a"), part(1).of(2))
	require.NoError(t, err)

	f.clock.Advance(partsTTL - time.Second)
	f.sweep(t)
	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 2, "the part and the state of the upload")

	f.clock.Advance(time.Second)
	f.sweep(t)
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
}
