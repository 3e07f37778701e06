package filesapi_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// An operation is tested with a fault at its first driver call, at its second, and so
// on, until there are no more calls.
type operation struct {
	name  string
	setUp func(t *testing.T, f *fixture) string // its result is passed to do and done
	do    func(t *testing.T, s *filesapi.Store, given string) error
	// done checks the effect of an operation that succeeded, at once or the second
	// time.
	done func(t *testing.T, f *fixture, given string)
	// noRecords: it makes no call to the client files' records.
	noRecords bool
	states    bool // it makes calls to the states of uploads in parts
	noBucket  bool // it makes no call to the bucket if the records are in a database
	// later: a failed pass may have asked about an upload. A pass after another
	// Config.PartsTTL removes it.
	later   bool
	inspect func(context.Context, *filesapi.Record, *storage.ReaderAt) error
}

var operations = []operation{
	{
		name:  "an upload",
		setUp: func(*testing.T, *fixture) string { return "" },
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			_, err := s.Upload(t.Context(), strings.NewReader("new"), named("new.txt"))
			return err
		},
		done: func(t *testing.T, f *fixture, _ string) {
			require.GreaterOrEqual(t, len(listIDs(t, f.store, uploads.Filter{}, 10)), 2)
		},
	},
	{
		name:    "an upload that is inspected",
		inspect: noEvil,
		setUp:   func(*testing.T, *fixture) string { return "" },
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			return failure(s.Upload(t.Context(), strings.NewReader("new"), named("new.txt")))
		},
		done: func(t *testing.T, f *fixture, _ string) {
			require.GreaterOrEqual(t, len(listIDs(t, f.store, uploads.Filter{}, 10)), 2)
		},
	},
	{
		name:  "an upload of a temp file",
		setUp: func(*testing.T, *fixture) string { return "" },
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			_, err := s.UploadTemp(t.Context(), strings.NewReader("new"), named("new.txt"))
			return err
		},
		done: func(t *testing.T, f *fixture, _ string) {
			require.GreaterOrEqual(t, len(keysUnder(t, f.bucket, "files/client/")), 2)
		},
	},
	{
		name: "a part that completes a file",
		setUp: func(t *testing.T, f *fixture) string {
			f.send(t, "c", part(token, 3, 3))
			f.send(t, "a", part(token, 3, 1))
			return ""
		},
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			return sent(s.UploadPart(t.Context(), strings.NewReader("b"), part(token, 3, 2)))
		},
		done: func(t *testing.T, f *fixture, _ string) {
			ids := listIDs(t, f.store, uploads.Filter{}, 10)
			require.Len(t, ids, 2, "one for the bystander, one for the parts")
			require.Equal(t, "abc", readContent(t, f.store, ids[1]))
		},
	},
	{
		name:    "a part that completes a file that is inspected",
		inspect: noEvil,
		setUp: func(t *testing.T, f *fixture) string {
			f.send(t, "a", part(token, 2, 1))
			return ""
		},
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			return sent(s.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2)))
		},
		done: func(t *testing.T, f *fixture, _ string) {
			ids := listIDs(t, f.store, uploads.Filter{}, 10)
			require.Len(t, ids, 2, "one for the bystander, one for the parts")
			require.Equal(t, "ab", readContent(t, f.store, ids[1]))
		},
	},
	{
		name:      "a part that completes a file that is refused",
		inspect:   noEvil,
		noRecords: true,
		states:    true,
		setUp: func(t *testing.T, f *fixture) string {
			f.send(t, "ev", part(token, 2, 1))
			return ""
		},
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			r, err := s.UploadPart(t.Context(), strings.NewReader("il"), part(token, 2, 2))
			if code := uploads.CodeOf(err); r == nil && (err == nil || code == uploads.Refused || code == uploads.NotFound) {
				return nil // the first call may have removed the other part
			}
			return err
		},
		done: func(t *testing.T, f *fixture, _ string) {
			require.Len(t, keysUnder(t, f.bucket, "files/client/"), 1, "the bystander's")
			require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
		},
	},
	{
		name:      "the first part",
		noRecords: true,
		states:    true,
		setUp:     func(*testing.T, *fixture) string { return "" },
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			_, err := s.UploadPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
			return err
		},
		done: func(t *testing.T, f *fixture, _ string) {
			require.Equal(t, "ab", readContent(t, f.store, f.send(t, "b", part(token, 2, 2)).ID))
		},
	},
	{
		name:  "a removal",
		setUp: func(t *testing.T, f *fixture) string { return f.upload(t, "old").ID },
		do:    func(t *testing.T, s *filesapi.Store, id string) error { return s.Delete(t.Context(), id) },
		done: func(t *testing.T, f *fixture, id string) {
			_, err := f.store.Details(t.Context(), id)
			requireRefused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
			require.Len(t, keysUnder(t, f.bucket, "files/client/"), 1, "the bystander's")
		},
	},
	{
		name:     "a change of purpose",
		noBucket: true,
		setUp:    func(t *testing.T, f *fixture) string { return f.upload(t, "old").ID },
		do: func(t *testing.T, s *filesapi.Store, id string) error {
			_, err := s.SetPurpose(t.Context(), id, "new")
			return err
		},
		done: func(t *testing.T, f *fixture, id string) {
			r, err := f.store.Details(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, "new", r.Purpose)
			require.Equal(t, "old", readContent(t, f.store, id))
		},
	},
	{
		name:  "a sweep",
		later: true,
		setUp: leaveDebris,
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			_, err := s.Sweep(t.Context())
			return err
		},
		done: func(t *testing.T, f *fixture, _ string) {
			requireConsistent(t, f.bucket, f.records)
			require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
		},
	},
	{
		name:  "a sweep of temp files",
		later: true,
		setUp: func(t *testing.T, f *fixture) string {
			for range 3 {
				_, err := f.store.UploadTemp(t.Context(), strings.NewReader("temp"), named("a.txt"))
				require.NoError(t, err)
			}
			_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("temp"), part(token, 2, 1))
			require.NoError(t, err)
			f.clock.Advance(25 * time.Hour)
			return ""
		},
		do: func(t *testing.T, s *filesapi.Store, _ string) error {
			_, err := s.Sweep(t.Context())
			return err
		},
		done: func(t *testing.T, f *fixture, _ string) {
			require.Empty(t, keysUnder(t, f.bucket, "files/expiry/"))
			require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
		},
	},
}

// sent is nil for a part whose file is made, by any call.
func sent(r *filesapi.Record, err error) error {
	if uploads.CodeOf(err) == uploads.Completed {
		return nil
	}
	if err == nil && r == nil {
		return fmt.Errorf("the set is complete, and there is no record")
	}
	return err
}

// leaveDebris creates one of everything that a sweep removes.
func leaveDebris(t *testing.T, f *fixture) string {
	put := func(key string) {
		_, err := f.bucket.Upload(t.Context(), key, strings.NewReader("debris"))
		require.NoError(t, err)
	}
	put("files/client/" + uploads.NewID(f.clock.Now()) + ".txt")
	f.send(t, "a", part(token, 2, 1))
	require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+f.upload(t, "lost").ID+".txt"))
	f.clock.Advance(25 * time.Hour)
	return ""
}

// maxCalls stops a test that does not end by itself.
const maxCalls = 80

// failures are the ways in which the n-th call of a process can go wrong. hit reports
// whether there was such a call.
var failures = []struct {
	name string
	at   func(t *testing.T, f *fixture, n int) (s *fixture, hit func() bool)
}{
	{"fails before it was made", func(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
		return f.faulty(t, faults.Fail(faults.Any).Nth(n), 1)
	}},
	{"loses its answer", func(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
		return f.faulty(t, faults.DropResponse(faults.Any).Nth(n), 1)
	}},
	{"loses its answer, and is retried", func(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
		return f.faulty(t, faults.DropResponse(faults.Any).Nth(n), 3)
	}},
	{"is where the process is killed", func(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
		d := &death{before: n}
		return f.mortal(t, d), func() bool { return d.dead }
	}},
	{"to the records fails before it was made", func(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
		return f.withRecords(t, f.failing(n, false))
	}},
	{"to the records loses its answer", func(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
		return f.withRecords(t, f.failing(n, true))
	}},
}

func (f *fixture) withRecords(t *testing.T, records uploads.Records) (*fixture, func() bool) {
	t.Helper()
	s := *f
	var err error
	s.store, err = filesapi.NewStore(f.bucket, records, filesapi.StoreConfig{Now: f.clock.Now, Inspect: f.inspect})
	require.NoError(t, err)
	return &s, records.(interface{ hit() bool }).hit
}

func (f *fixture) faulty(t *testing.T, rule faults.Rule, attempts int) (*fixture, func() bool) {
	injector := faults.New(rule)
	policy := storage.RetryPolicy{Attempts: attempts, MaxDelay: time.Millisecond}
	return f.beside(t, driver.WithLayer(injector.Layer()), storage.WithRetry(policy)), func() bool { return len(injector.Hits()) > 0 }
}

// If any call to the store fails during an operation, no file lacks its record, and no record lacks its bytes.
func TestStoreFaultAtEachCall(t *testing.T) {
	places := []struct {
		name string
		make func(*testing.T, filesapi.StoreConfig, ...storage.OpenOption) *fixture
	}{{"memory", newMemoryFixture}, {"local", newDirectoryFixture}, {"memory and a database", newDatabaseFixture}}
	for _, place := range testserver.Sample(places[:1], places) {
		for _, op := range operations {
			for _, failure := range failures {
				for _, retry := range []bool{true, false} {
					name := fmt.Sprintf("%s: a call of %s %s; tried again: %v", place.name, op.name, failure.name, retry)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						for n := 1; ; n++ {
							require.LessOrEqual(t, n, maxCalls, "calls without end")
							f := place.make(t, filesapi.StoreConfig{Inspect: op.inspect})
							bystander := f.upload(t, "bystander")
							f.clock.Advance(time.Second)
							value := op.setUp(t, f)
							s, hit := failure.at(t, f, n)
							err := op.do(t, s.store, value)
							op.judge(t, f, value, fmt.Sprintf("call %d: %v", n, err), err, retry)
							require.Equal(t, "bystander", readContent(t, f.store, bystander.ID))

							if !hit() {
								require.NoError(t, err)
								met := n > 1
								require.Equal(t, op.meets(failure.name, f), met, "the fault was met")
								break
							}
						}
					})
				}
			}
		}
	}
}

// meets reports whether the operation makes a call that can fail like this.
func (op operation) meets(failure string, f *fixture) bool {
	if strings.Contains(failure, "records") {
		return !op.noRecords || f.database != nil && op.states
	}
	if strings.Contains(failure, "killed") {
		return true
	}
	return f.database == nil || !op.noBucket
}

func (op operation) judge(t *testing.T, f *fixture, value, name string, err error, retry bool) {
	t.Helper()
	if op.name != "a sweep" { // its debris has none
		for _, id := range listIDs(t, f.store, uploads.Filter{}, 10) {
			readContent(t, f.store, id) // a record has its bytes at every moment
		}
	}
	if err != nil && retry {
		if op.later {
			f.clock.Advance(25 * time.Hour)
		}
		require.NoError(t, op.do(t, f.store, value), "tried again after %s", name)
		err = nil
	}
	if err == nil {
		op.done(t, f, value)
	}
	f.clock.Advance(25 * time.Hour)
	_, failure := f.store.Sweep(t.Context())
	require.NoError(t, failure, name)
	requireConsistent(t, f.bucket, f.records)

	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"), name)
	report, failure := f.store.Sweep(t.Context())
	require.NoError(t, failure, name)
	require.Equal(t, &uploads.SweepReport{}, report, "nothing is left, after %s", name)
}
