package files_test

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
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/uploads"
)

func (f *fixture) put(t *testing.T, key string) {
	t.Helper()
	_, err := f.bucket.Upload(t.Context(), key, strings.NewReader("x"))
	require.NoError(t, err)
}

func (f *fixture) sweep(t *testing.T, opts ...files.SweepOption) *files.SweepReport {
	t.Helper()
	report, err := f.store.Sweep(t.Context(), opts...)
	require.NoError(t, err)
	return report
}

func TestSweepRemovesBytesWithoutARecord(t *testing.T) {
	for name, key := range map[string]string{"of a client file": "files/client/", "of a temp file": "files/temp/"} {
		f := inMemory(t, files.Config{Grace: 2 * time.Hour})
		f.upload(t, "stays")
		f.put(t, key+files.NewID(f.clock.Now())+".txt")
		f.clock.Advance(2*time.Hour - time.Second)
		require.Equal(t, &files.SweepReport{}, f.sweep(t), "%s: an upload may be in progress", name)
		f.clock.Advance(time.Second)
		require.Equal(t, &files.SweepReport{Bytes: 1}, f.sweep(t), name)
		whole(t, f.bucket, f.records)
	}
}

// The store's clock decides, not that of Record.Created.
func TestSweepAsksTheStoreForTheTime(t *testing.T) {
	f := inMemory(t, files.Config{})
	wrong, err := files.New(f.bucket, f.records, files.Config{Now: func() time.Time { return f.clock.Now().Add(1000 * time.Hour) }})
	require.NoError(t, err)
	f.upload(t, "stays")
	f.put(t, "files/client/"+files.NewID(f.clock.Now()))
	report, err := wrong.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Bytes)
}

func TestSweepIgnoresANilOption(t *testing.T) {
	f := inMemory(t, files.Config{})
	require.Equal(t, &files.SweepReport{}, f.sweep(t, nil, files.WithoutOrphanLimit()))
}

func TestSweepRemovesRecordsWithoutBytes(t *testing.T) {
	f := inMemory(t, files.Config{})
	lost, stays := f.upload(t, "lost"), f.upload(t, "stays")
	require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+lost.ID+".txt"))
	require.Equal(t, &files.SweepReport{Records: 1}, f.sweep(t))
	require.Equal(t, []string{stays.ID}, listed(t, f.store, files.ListFilter{}, 10))
	whole(t, f.bucket, f.records)
}

func TestSweepAmongMany(t *testing.T) {
	f := inMemory(t, files.Config{})
	var want []string
	for i := range 60 {
		r := f.upload(t, "x")
		switch i % 3 {
		case 0:
			require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+r.ID+".txt"))
		case 1:
			require.NoError(t, f.records.Remove(t.Context(), r.ID))
		default:
			want = append(want, r.ID)
		}
		f.clock.Advance(time.Millisecond)
	}
	f.clock.Advance(24 * time.Hour)
	require.Equal(t, &files.SweepReport{Bytes: 20, Records: 20}, f.sweep(t, files.WithoutOrphanLimit()))
	require.Equal(t, want, listed(t, f.store, files.ListFilter{}, 7))
	whole(t, f.bucket, f.records)
}

// staleRecords return IDs from a while ago; between is what happened since.
type staleRecords struct {
	files.Records
	hide    string
	between func()
}

func (r *staleRecords) IDs(ctx context.Context, after string, limit int) ([]string, string, error) {
	if after != "" && r.between != nil {
		r.between()
		r.between = nil
	}
	ids, next, err := r.Records.IDs(ctx, after, limit)
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == r.hide })
	if after == "" && limit > 100 && len(ids) > 0 {
		return ids[:1], ids[0], err
	}
	return ids, next, err
}

func TestSweepChecksAgainBeforeItRemoves(t *testing.T) {
	f := inMemory(t, files.Config{})
	first := f.upload(t, "first")
	f.clock.Advance(time.Second)
	recorded := f.upload(t, "its record was made a moment ago")
	f.clock.Advance(25 * time.Hour)
	var uploaded *files.Record
	stale := &staleRecords{Records: f.records, hide: recorded.ID, between: func() {
		uploaded = f.upload(t, "its bytes came when they had been listed")
	}}
	s, err := files.New(f.bucket, stale, files.Config{})
	require.NoError(t, err)
	report, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, &files.SweepReport{}, report)
	require.NotNil(t, uploaded)
	require.ElementsMatch(t, []string{first.ID, recorded.ID, uploaded.ID}, listed(t, f.store, files.ListFilter{}, 10))
	whole(t, f.bucket, f.records)
}

// lateRecords are created after their bytes were swept, because the upload's process
// was suspended.
type lateRecords struct {
	files.Records
	before func()
}

func (r lateRecords) Create(ctx context.Context, one *files.Record) error {
	r.before()
	return r.Records.Create(ctx, one)
}

func TestAnUploadThatOutlivesItsGrace(t *testing.T) {
	f := inMemory(t, files.Config{Grace: time.Nanosecond})
	late := lateRecords{f.records, func() {
		f.clock.Advance(time.Second)
		require.Equal(t, 1, f.sweep(t).Bytes)
	}}
	s, err := files.New(f.bucket, late, files.Config{Grace: time.Nanosecond})
	require.NoError(t, err)
	_, err = s.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
	refused(t, err, "file", uploads.StoreFailed, storage.Unavailable)
	require.Empty(t, listed(t, f.store, files.ListFilter{}, 10))
	whole(t, f.bucket, f.records)
}

func TestSweepDuringOtherOperations(t *testing.T) {
	f := inMemory(t, files.Config{})
	done := make(chan struct{})
	var sweeps, senders sync.WaitGroup
	for range 2 {
		sweeps.Go(func() {
			for {
				report, err := f.store.Sweep(t.Context())
				if !assert.NoError(t, err) || !assert.Equal(t, &files.SweepReport{}, report) {
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 4 {
		senders.Go(func() {
			for round := range 25 {
				r, err := f.store.Upload(t.Context(), strings.NewReader("x"), named("a.txt"))
				if !assert.NoError(t, err) {
					return
				}
				o := part(fmt.Sprintf("token-%d-%d", i, round), 2, 1)
				_, err = f.store.UploadPart(t.Context(), strings.NewReader("x"), o)
				assert.NoError(t, err)
				if round%2 == 0 {
					assert.NoError(t, f.store.Delete(t.Context(), r.ID))
				}
				o.Part = 2
				r, err = f.store.UploadPart(t.Context(), strings.NewReader("y"), o)
				assert.NoError(t, err)
				assert.NotNil(t, r)
			}
		})
	}
	senders.Wait()
	close(done)
	sweeps.Wait()
	require.Len(t, listed(t, f.store, files.ListFilter{}, 1000), 4*(25+12))
	whole(t, f.bucket, f.records)
}

func TestSweepKeepsObjectsOfOtherPrograms(t *testing.T) {
	f := inMemory(t, files.Config{})
	f.upload(t, "x")
	strangers := []string{"files/client/logo.png", "files/client/" + strings.Repeat("z", 36), "files/parts/client/notes.txt", "files/records/client/a.json", "other/x"}
	for _, key := range strangers {
		f.put(t, key)
	}
	f.clock.Advance(100 * time.Hour)
	require.Equal(t, &files.SweepReport{}, f.sweep(t))
	require.Subset(t, under(t, f.bucket, ""), strangers)
	require.Len(t, listed(t, f.store, files.ListFilter{}, 10), 1)
}

func TestClearTempRemovesByAge(t *testing.T) {
	f := inMemory(t, files.Config{})
	stays := f.upload(t, "a client file stays")
	temp := func() string {
		r, err := f.store.UploadTemp(t.Context(), strings.NewReader("temp"), named("a.txt"))
		require.NoError(t, err)
		return r.ID
	}
	old := temp()
	f.clock.Advance(time.Hour)
	young := temp()
	f.clock.Advance(time.Hour)

	removed, err := f.store.ClearTemp(t.Context(), 2*time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	_, _, err = f.store.DownloadTemp(t.Context(), old)
	refused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
	r, _, err := f.store.DownloadTemp(t.Context(), young)
	require.NoError(t, err)
	require.NoError(t, r.Close())

	removed, err = f.store.ClearTemp(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.Empty(t, under(t, f.bucket, "files/temp/"))
	require.Empty(t, under(t, f.bucket, "files/records/temp/"))
	require.Equal(t, "a client file stays", content(t, f.store, stays.ID))
}

func TestClearTempOfMany(t *testing.T) {
	f := inMemory(t, files.Config{})
	for range 250 {
		_, err := f.store.UploadTemp(t.Context(), strings.NewReader("temp"), named("a.txt"))
		require.NoError(t, err)
	}
	removed, err := f.store.ClearTemp(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, 250, removed)
	require.Empty(t, under(t, f.bucket, "files/temp/"))
}

func TestClearTempOfParts(t *testing.T) {
	f := inMemory(t, files.Config{})
	f.send(t, "a", part(token, 2, 1))
	_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
	require.NoError(t, err)
	_, err = f.store.ClearTemp(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, under(t, f.bucket, "files/parts/temp/"), 2, "an upload may be in progress")
	f.clock.Advance(24 * time.Hour)
	_, err = f.store.ClearTemp(t.Context(), 0)
	require.NoError(t, err)
	require.Empty(t, under(t, f.bucket, "files/parts/temp/"))
	require.Len(t, under(t, f.bucket, "files/parts/client/"), 2, "are not its to clear")
}
