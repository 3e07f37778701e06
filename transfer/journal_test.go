package transfer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// With WithJournal, a job records each finished file in an object, the journal. If the job is
// interrupted, the next run continues there.
func TestWithJournalContinues(t *testing.T) {
	const (
		files     = 60
		fileBytes = 5
		stopAfter = 25
	)

	// The content of each file is its name, such as "01/12".
	keys := make([]string, files)
	texts := map[string]string{}
	for i := range keys {
		keys[i] = fmt.Sprintf("%02d/%02d", i/10, i)
		texts[keys[i]] = keys[i]
	}

	for _, kind := range []string{"directory", "bucket"} {
		t.Run(kind, func(t *testing.T) {
			src, _ := newFilledEnd(t, kind, texts)
			b := memstore.New()
			journals := memstore.New()
			journal := transfer.WithJournal(journals, "j")

			// The first run is canceled.
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			changes := 0
			cancelLater := transfer.WithChanges(func(transfer.Change) {
				changes++
				if changes == stopAfter {
					cancel()
				}
			})
			first, err := transfer.Sync(ctx, transfer.Bucket(b), src, journal, transfer.WithConcurrency(1), cancelLater)
			require.ErrorIs(t, err, storage.Canceled)
			require.GreaterOrEqual(t, first.Transferred, int64(stopAfter))
			require.Less(t, first.Transferred, int64(files))

			// The second run completes the job.
			copies := map[string]bool{}
			recordCopies := transfer.WithChanges(func(c transfer.Change) {
				copies[c.Key] = true
			})
			second, err := transfer.Sync(t.Context(), transfer.Bucket(b), src, journal, recordCopies)
			require.NoError(t, err)
			require.EqualValues(t, files, second.Transferred+second.Skipped, "the report includes the first run")
			require.EqualValues(t, fileBytes*files, second.Bytes+fileBytes*second.Skipped)
			require.NotContains(t, copies, keys[0])
			require.ElementsMatch(t, keys, keysOf(contents(t, b)))
			require.Empty(t, keysOf(contents(t, journals)), "a complete job has no journal")
		})
	}
}

// A journal records how far a job has come. It does not go past a file that failed, so the next run
// transfers this file.
func TestWithJournalStopsAtAFailure(t *testing.T) {
	src := newFilledBucket(t, []string{"a", "b", "c", "d"})
	failSecond := faults.New(faults.Fail(faults.Put).Nth(2))
	dst := memstore.New(driver.WithLayer(failSecond.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	journals := memstore.New()
	opts := []transfer.Option{transfer.WithJournal(journals, "j"), transfer.WithConcurrency(1)}

	// The first run transfers all files except for "b".
	report, err := transfer.Copy(t.Context(), dst, src, opts...)
	require.Error(t, err)
	require.EqualValues(t, 3, report.Transferred)

	// The journal does not go past "b".
	text, _, err := storage.ReadAll(t.Context(), journals, "j")
	require.NoError(t, err)
	require.Contains(t, string(text), `"after":"YQ=="`, "the last key is a, which is YQ== in base64")

	// Only a job with the same options can continue with this journal.
	_, err = transfer.Copy(t.Context(), dst, src, append(opts, transfer.WithExclude("x"))...)
	require.ErrorIs(t, err, storage.InvalidArgument, "a job with other options")

	// The next run of the same job transfers "b".
	report, err = transfer.Copy(t.Context(), dst, src, opts...)
	require.NoError(t, err)
	require.EqualValues(t, 4, report.Transferred+report.Skipped)
	require.Len(t, contents(t, dst), 4)
}

// A job with WithDelete begins at the first key despite its journal, because it must know all files.
func TestWithJournalAndDeleteBeginsAgain(t *testing.T) {
	// According to this journal, the job is done with all keys up to "z". In base64, "z" is "eg==".
	const job = `prefix \"\" include [] exclude [] size 0-0 shard 0/0 ` +
		`checksum false size only false missing only false links false move false`
	journals := memstore.New()
	put(t, journals, "j", `{"job":"`+job+`","after":"eg=="}`)
	src := newFilledBucket(t, []string{"a", "b"})
	dst := newFilledBucket(t, []string{"0", "z"})

	report, err := transfer.Copy(t.Context(), dst, src, transfer.WithJournal(journals, "j"), transfer.WithDelete())
	require.NoError(t, err)
	require.EqualValues(t, 2, report.Deleted)
	require.ElementsMatch(t, []string{"a", "b"}, keysOf(contents(t, dst)))
}

// Jobs refuse a journal inside the source or the destination, unless its folder is excluded.
func TestWithJournalOutsideTheEnds(t *testing.T) {
	srcBucket := memstore.New()
	dstBucket := memstore.New()
	src := storage.Prefixed(srcBucket, "in/")
	dst := storage.Prefixed(dstBucket, "out/")
	put(t, srcBucket, "in/a", "a")
	syncWithJournal := func(journals storage.Bucket, key string, opts ...transfer.Option) error {
		opts = append(opts, transfer.WithJournal(journals, key))
		_, err := transfer.Sync(t.Context(), transfer.Bucket(dst), transfer.Bucket(src), opts...)
		return err
	}

	inside := []struct {
		name     string
		journals storage.Bucket
		key      string
	}{
		{name: "in the folder of the destination", journals: dstBucket, key: "out/j"},
		{name: "in the folder of the source", journals: srcBucket, key: "in/j"},
		{name: "in a folder of the destination", journals: storage.Prefixed(dstBucket, "out/x/"), key: "j"},
		{name: "in the source", journals: src, key: "x/j"},
	}
	for _, tt := range inside {
		t.Run(tt.name, func(t *testing.T) {
			err := syncWithJournal(tt.journals, tt.key)
			require.ErrorContains(t, err, "WithJournal must not keep its object in the source or destination")
		})
	}
	require.Empty(t, keysOf(contents(t, dstBucket)))

	require.NoError(t, syncWithJournal(dstBucket, "j"), "beside the destination")
	require.NoError(t, syncWithJournal(srcBucket, "outer"), "beside the source")
	require.NoError(t, syncWithJournal(src, "x/j", transfer.WithExclude("/x/")), "in an excluded folder")
}

// A journaledJob is a job whose journal is the object "jobs/nightly" of a bucket.
type journaledJob struct {
	t        *testing.T
	dst, src storage.Bucket
	journals storage.Bucket
}

const nightlyJournal = "jobs/nightly"

// sync runs the job with the journal.
func (j *journaledJob) sync(ctx context.Context, opts ...transfer.Option) error {
	opts = append(opts, transfer.WithJournal(j.journals, nightlyJournal))
	_, err := transfer.Sync(ctx, transfer.Bucket(j.dst), transfer.Bucket(j.src), opts...)
	return err
}

// interrupt runs the job, and cancels it after the given number of changes.
func (j *journaledJob) interrupt(changes int) {
	ctx, cancel := context.WithCancel(j.t.Context())
	defer cancel()
	count := 0
	cancelLater := transfer.WithChanges(func(transfer.Change) {
		count++
		if count == changes {
			cancel()
		}
	})
	require.ErrorIs(j.t, j.sync(ctx, transfer.WithConcurrency(1), cancelLater), storage.Canceled)
}

// changeJournal changes the fields of the journal, which is in JSON.
func (j *journaledJob) changeJournal(change func(fields map[string]any)) {
	text, _, err := storage.ReadAll(j.t.Context(), j.journals, nightlyJournal)
	require.NoError(j.t, err)
	var fields map[string]any
	require.NoError(j.t, json.Unmarshal(text, &fields))
	change(fields)
	text, err = json.Marshal(fields)
	require.NoError(j.t, err)
	put(j.t, j.journals, nightlyJournal, string(text))
}

// An interrupted job continues by its journal. A journal is valid only in its own bucket, and only
// until the job has ended. With an invalid journal, the job begins again.
func TestWithJournalOfAnotherPlaceOrTime(t *testing.T) {
	tests := []struct {
		name          string
		change        func(j *journaledJob) // changes the journal after the interruption
		wantContinued bool
	}{
		{
			name:          "unchanged",
			change:        func(*journaledJob) {},
			wantContinued: true,
		},
		{
			name: "brought back by Undelete after the job had ended",
			change: func(j *journaledJob) {
				require.NoError(j.t, j.sync(j.t.Context()))
				report, err := transfer.Undelete(j.t.Context(), j.journals)
				require.NoError(j.t, err)
				require.EqualValues(j.t, 1, report.Transferred)
			},
			wantContinued: false,
		},
		{
			name: "copied to another bucket",
			change: func(j *journaledJob) {
				other := memstore.New()
				_, err := storage.Copy(j.t.Context(), other, nightlyJournal, j.journals, nightlyJournal)
				require.NoError(j.t, err)
				j.journals = other
			},
			wantContinued: false,
		},
		{
			name: "restored from a snapshot of an hour ago",
			change: func(j *journaledJob) {
				j.changeJournal(func(fields map[string]any) {
					fields["written"] = time.Now().Add(-time.Hour)
				})
			},
			wantContinued: false,
		},
		{
			name: "written by an earlier version, without time and place",
			change: func(j *journaledJob) {
				j.changeJournal(func(fields map[string]any) {
					delete(fields, "written")
					delete(fields, "place")
				})
			},
			wantContinued: true,
		},
	}
	for _, tt := range tests {
		for kind, journals := range newVersionedStores(t) {
			t.Run(kind+", "+tt.name, func(t *testing.T) {
				// The job is interrupted after three changes. It has copied "a" by then.
				src := newFilledBucket(t, []string{"a", "b", "c", "d", "e"})
				j := &journaledJob{t: t, dst: memstore.New(), src: src, journals: journals}
				j.interrupt(3)
				tt.change(j)

				// A job copies the later change of "a" only if it begins again.
				put(t, src, "a", "changed")
				require.NoError(t, j.sync(t.Context()))
				if tt.wantContinued {
					require.NotEqual(t, "changed", contents(t, j.dst)["a"])
				} else {
					require.Equal(t, contents(t, src), contents(t, j.dst))
				}
			})
		}
	}
}

// A repeated job refuses its journal if it would now select more files. It accepts the journal with
// a later time of WithModifiedAfter.
func TestWithJournalSelectsMoreFiles(t *testing.T) {
	// Only "c", "d" and "e" are newer than the time in the variable between.
	src := newFilledBucket(t, []string{"a", "b"})
	time.Sleep(time.Millisecond)
	between := time.Now()
	time.Sleep(time.Millisecond)
	for _, key := range []string{"c", "d", "e"} {
		put(t, src, key, key)
	}

	dst := memstore.New()
	journals := memstore.New()

	copyWithJournal := func(ctx context.Context, opts ...transfer.Option) error {
		opts = append(opts, transfer.WithJournal(journals, "j"), transfer.WithConcurrency(1))
		_, err := transfer.Copy(ctx, dst, src, opts...)
		return err
	}

	// The first job is interrupted, and leaves its journal.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	interrupt := transfer.WithChanges(func(transfer.Change) { cancel() })
	err := copyWithJournal(ctx, transfer.WithModifiedAfter(between), interrupt)
	require.ErrorIs(t, err, storage.Canceled)

	refused := []struct {
		name string
		opts []transfer.Option
	}{
		{name: "no time"},
		{name: "an earlier time", opts: []transfer.Option{transfer.WithModifiedAfter(between.Add(-time.Hour))}},
		{name: "another bound", opts: []transfer.Option{transfer.WithModifiedBefore(between)}},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorIs(t, copyWithJournal(t.Context(), tt.opts...), storage.InvalidArgument)
		})
	}

	// A later time selects fewer files, so the journal is accepted.
	later := transfer.WithModifiedAfter(between.Add(time.Microsecond))
	require.NoError(t, copyWithJournal(t.Context(), later))
	require.ElementsMatch(t, []string{"c", "d", "e"}, keysOf(contents(t, dst)))
}

// If a layer such as a mirror is added between two runs, the second run refuses the journal.
// Otherwise it would skip the files of the first run, and these would be in only one store of the
// mirror.
func TestWithJournalAndLayers(t *testing.T) {
	second := memstore.New()
	mirrored, err := mirror.New(second, mirror.Config{})
	require.NoError(t, err)
	openPlain := func(d driver.Driver) storage.Bucket { return engine.New(d) }
	openMirrored := func(d driver.Driver) storage.Bucket { return engine.New(d, driver.WithLayer(mirrored)) }
	openFolder := func(d driver.Driver) storage.Bucket { return storage.Prefixed(engine.New(d), "in/") }
	openOther := func(driver.Driver) storage.Bucket { return memstore.New() }

	// Each row opens both ends for the second run.
	tests := []struct {
		name    string
		openDst func(d driver.Driver) storage.Bucket
		openSrc func(d driver.Driver) storage.Bucket
		want    error
	}{
		{name: "the same ends", openDst: openPlain, openSrc: openPlain, want: nil},
		{
			name:    "a layer at the destination",
			openDst: openMirrored,
			openSrc: openPlain,
			want:    storage.InvalidArgument,
		},
		{name: "a layer at the source", openDst: openPlain, openSrc: openMirrored, want: storage.InvalidArgument},
		{name: "another destination", openDst: openOther, openSrc: openPlain, want: storage.InvalidArgument},
		{
			name:    "a folder of the destination",
			openDst: openFolder,
			openSrc: openPlain,
			want:    storage.InvalidArgument,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dstDriver := memstore.NewDriver(memstore.Config{})
			srcDriver := memstore.NewDriver(memstore.Config{})
			for _, key := range []string{"a", "b", "c"} {
				put(t, engine.New(srcDriver), key, key)
			}
			journal := transfer.WithJournal(memstore.New(), "j")

			// The first run is canceled at its first change.
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cancelAtOnce := transfer.WithChanges(func(transfer.Change) { cancel() })
			_, err := transfer.Copy(ctx, engine.New(dstDriver), engine.New(srcDriver), journal,
				transfer.WithConcurrency(1), cancelAtOnce)
			require.ErrorIs(t, err, storage.Canceled)

			dst := tt.openDst(dstDriver)
			_, err = transfer.Copy(t.Context(), dst, tt.openSrc(srcDriver), journal)
			require.ErrorIs(t, err, tt.want)

			if tt.want == nil {
				require.Len(t, contents(t, dst), 3)
			} else {
				require.ErrorContains(t, err, "other ends, or with other layers")
				require.Empty(t, contents(t, second))
			}
		})
	}
}
