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

// An operation is tested with a fault at its first call of the driver, then at its second call, and
// so on, until it makes no further call.
type operation struct {
	name string
	// setUp prepares the operation. It may be nil. If the operation works on a file, setUp returns
	// the ID of that file.
	setUp func(t *testing.T, f *fixture) (id string)
	do    func(t *testing.T, s *filesapi.Store, id string) error
	// check checks the effect of the operation. It is called after the operation has succeeded, at
	// the first or at the second attempt.
	check   func(t *testing.T, f *fixture, id string)
	inspect func(context.Context, *filesapi.Record, *storage.ReaderAt) error

	noRecords bool // it makes no call to the client files' records
	states    bool // it makes calls to the states of uploads in parts
	noBucket  bool // it makes no call to the bucket if the records are in a database
	// later is true if a failed Sweep may already have begun to remove an upload. Then the upload
	// is removed by a Sweep that runs after a further Config.PartsTTL.
	later bool
}

var operations = []operation{
	{name: "an upload", do: uploadFile, check: checkUploadedFile},
	{name: "an upload that is inspected", inspect: refuseEvil, do: uploadFile, check: checkUploadedFile},
	{name: "an upload of a temp file", do: uploadTempFile, check: checkUploadedTempFile},
	{
		name:  "a part that completes a file",
		setUp: sendAAndC,
		do:    completeWithB,
		check: checkCompletedFile,
	},
	{
		name:    "a part that completes a file that is inspected",
		inspect: refuseEvil,
		setUp:   sendAAndC,
		do:      completeWithB,
		check:   checkCompletedFile,
	},
	{
		name:      "a part that completes a file that is refused",
		inspect:   refuseEvil,
		noRecords: true,
		states:    true,
		setUp:     sendEv,
		do:        completeWithIl,
		check:     checkOnlyBystander,
	},
	{name: "the first part", noRecords: true, states: true, do: sendFirstPart, check: completeAfterFirstPart},
	{name: "a removal", setUp: uploadOld, do: removeFile, check: checkRemovedFile},
	{name: "a change of purpose", noBucket: true, setUp: uploadOld, do: changePurpose, check: checkPurpose},
	{name: "a sweep", later: true, setUp: leaveDebris, do: sweep, check: checkSweptDebris},
	{name: "a sweep of temp files", later: true, setUp: leaveTempFiles, do: sweep, check: checkSweptTempFiles},
}

func uploadFile(t *testing.T, s *filesapi.Store, _ string) error {
	return errorOf(s.Upload(t.Context(), strings.NewReader("new"), fileOptions("new.txt")))
}

// checkUploadedFile expects the bystander and the new file. There may be a further file, made by a
// call whose response was lost.
func checkUploadedFile(t *testing.T, f *fixture, _ string) {
	require.GreaterOrEqual(t, len(listIDs(t, f.store, uploads.Filter{}, 10)), 2)
}

func uploadTempFile(t *testing.T, s *filesapi.Store, _ string) error {
	return errorOf(s.UploadTemp(t.Context(), strings.NewReader("new"), fileOptions("new.txt")))
}

func checkUploadedTempFile(t *testing.T, f *fixture, _ string) {
	require.GreaterOrEqual(t, len(keysUnder(t, f.bucket, "files/client/")), 2)
}

func sendAAndC(t *testing.T, f *fixture) string {
	f.sendPart(t, "c", part(3).of(3))
	f.sendPart(t, "a", part(1).of(3))
	return ""
}

func completeWithB(t *testing.T, s *filesapi.Store, _ string) error {
	return errorUnlessCompleted(s.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(3)))
}

func checkCompletedFile(t *testing.T, f *fixture, _ string) {
	ids := listIDs(t, f.store, uploads.Filter{}, 10)
	require.Len(t, ids, 2, "one for the bystander, one for the parts")
	require.Equal(t, "abc", readContent(t, f.store, ids[1]))
}

func sendEv(t *testing.T, f *fixture) string {
	f.sendPart(t, "ev", part(1).of(2))
	return ""
}

// completeWithIl sends the last part of a file that Inspect refuses. It succeeds if the part is
// refused. If an earlier call has removed the other part, the last part may also be refused as
// NotFound, or begin a new upload.
func completeWithIl(t *testing.T, s *filesapi.Store, _ string) error {
	_, err := s.UploadPart(t.Context(), strings.NewReader("il"), part(2).of(2))
	switch uploads.CodeOf(err) {
	case uploads.Refused, uploads.NotFound:
		return nil
	}
	return err
}

func checkOnlyBystander(t *testing.T, f *fixture, _ string) {
	require.Len(t, keysUnder(t, f.bucket, "files/client/"), 1)
	require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
}

func sendFirstPart(t *testing.T, s *filesapi.Store, _ string) error {
	return errorOf(s.UploadPart(t.Context(), strings.NewReader("a"), part(1).of(2)))
}

func completeAfterFirstPart(t *testing.T, f *fixture, _ string) {
	record := f.sendPart(t, "b", part(2).of(2))
	require.Equal(t, "ab", readContent(t, f.store, record.ID))
}

func uploadOld(t *testing.T, f *fixture) (id string) { return f.upload(t, "old").ID }

func removeFile(t *testing.T, s *filesapi.Store, id string) error { return s.Delete(t.Context(), id) }

func checkRemovedFile(t *testing.T, f *fixture, id string) {
	_, err := f.store.Details(t.Context(), id)
	requireRefused(t, err, "ID", uploads.NotFound, storage.ObjectNotFound)
	require.Len(t, keysUnder(t, f.bucket, "files/client/"), 1, "the bystander's")
}

func changePurpose(t *testing.T, s *filesapi.Store, id string) error {
	return errorOf(s.SetPurpose(t.Context(), id, "new"))
}

// checkPurpose requires that the file has the new purpose and its old content.
func checkPurpose(t *testing.T, f *fixture, id string) {
	record, err := f.store.Details(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "new", record.Purpose)
	require.Equal(t, "old", readContent(t, f.store, id))
}

func sweep(t *testing.T, s *filesapi.Store, _ string) error {
	_, err := s.Sweep(t.Context())
	return err
}

func checkSweptDebris(t *testing.T, f *fixture, _ string) {
	requireRecordsMatchObjects(t, f.bucket, f.records)
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
}

// leaveTempFiles leaves expired temp files, and an unfinished upload of a temp file that has also expired.
func leaveTempFiles(t *testing.T, f *fixture) string {
	for range 3 {
		_, err := f.store.UploadTemp(t.Context(), strings.NewReader("temp"), fileOptions("a.txt"))
		require.NoError(t, err)
	}
	_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("temp"), part(1).of(2))
	require.NoError(t, err)
	f.clock.Advance(longIdle)
	return ""
}

func checkSweptTempFiles(t *testing.T, f *fixture, _ string) {
	require.Empty(t, keysUnder(t, f.bucket, "files/expiry/"))
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
}

// errorUnlessCompleted returns the error of an UploadPart that is to complete a file. It returns nil if an earlier call
// has completed the file.
func errorUnlessCompleted(r *filesapi.Record, err error) error {
	if uploads.CodeOf(err) == uploads.Completed {
		return nil
	}
	if err == nil && r == nil {
		return fmt.Errorf("all parts are there, and there is no record")
	}
	return err
}

// leaveDebris creates one of everything that a sweep removes.
func leaveDebris(t *testing.T, f *fixture) string {
	put := func(key string) {
		_, err := f.bucket.Upload(t.Context(), key, strings.NewReader("debris"))
		require.NoError(t, err)
	}
	// The debris is an object without a record, an upload that stays incomplete, and a record
	// without bytes.
	put("files/client/" + uploads.NewID(f.clock.Now()) + ".txt")
	f.sendPart(t, "a", part(1).of(2))
	require.NoError(t, f.bucket.Remove(t.Context(), "files/client/"+f.upload(t, "lost").ID+".txt"))
	f.clock.Advance(longIdle)
	return ""
}

// maxCalls stops a test that does not end by itself.
const maxCalls = 80

// An openFunc opens a store for a test.
type openFunc func(*testing.T, filesapi.StoreConfig, ...storage.OpenOption) *fixture

// A failure is a way in which the n-th call of a process can go wrong. hit reports whether there was such a call.
type failure struct {
	name string
	open func(t *testing.T, f *fixture, n int) (s *fixture, hit func() bool)
}

var failures = []failure{
	{name: "fails before it was made", open: openFailing},
	{name: "loses its answer", open: openLosing},
	{name: "loses its answer, and is retried", open: openLosingWithRetry},
	{name: "is where the process is killed", open: openKilled},
	{name: "to the records fails before it was made", open: openWithFailingRecords},
	{name: "to the records loses its answer", open: openWithLosingRecords},
}

func openFailing(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
	return f.openFaulty(t, faults.Fail(faults.Any).Nth(n), withoutRetry)
}

func openLosing(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
	return f.openFaulty(t, faults.DropResponse(faults.Any).Nth(n), withoutRetry)
}

func openLosingWithRetry(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
	retry := storage.WithRetry(storage.RetryPolicy{Attempts: 3, MaxDelay: time.Millisecond})
	return f.openFaulty(t, faults.DropResponse(faults.Any).Nth(n), retry)
}

func openKilled(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
	k := &killer{beforeCall: n}
	return f.openWithKiller(t, k), func() bool { return k.dead }
}

func openWithFailingRecords(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
	return f.withRecords(t, f.failingRecords(n, false))
}

func openWithLosingRecords(t *testing.T, f *fixture, n int) (*fixture, func() bool) {
	return f.withRecords(t, f.failingRecords(n, true))
}

// withRecords returns a store on f's bucket with other records. hit reports whether a call of these
// records has failed.
func (f *fixture) withRecords(t *testing.T, records uploads.Records) (*fixture, func() bool) {
	t.Helper()
	s := *f
	var err error
	s.store, err = filesapi.NewStore(f.bucket, records, filesapi.StoreConfig{Now: f.clock.Now, Inspect: f.inspect})
	require.NoError(t, err)
	return &s, records.(interface{ hit() bool }).hit
}

// openFaulty returns another store on the bucket and the records of f. The rule makes calls of that
// store to the bucket fail. hit reports whether a call has failed.
func (f *fixture) openFaulty(t *testing.T, rule faults.Rule, retry storage.OpenOption) (s *fixture, hit func() bool) {
	t.Helper()
	injector := faults.New(rule)
	s = f.openBeside(t, driver.WithLayer(injector.Layer()), retry)
	return s, func() bool { return len(injector.Hits()) > 0 }
}

// Whichever call to the store fails during an operation, no file lacks its record, and no record lacks its bytes.
func TestStoreFaultAtEachCall(t *testing.T) {
	places := []struct {
		name string
		open openFunc
	}{
		{name: "memory", open: newMemoryFixture},
		{name: "local", open: newDirectoryFixture},
		{name: "memory and a database", open: newDatabaseFixture},
	}
	for _, place := range testserver.Sample(places[:1], places) {
		for _, op := range operations {
			for _, failure := range failures {
				for _, retry := range []bool{true, false} {
					name := fmt.Sprintf("%s: a call of %s %s; tried again: %v", place.name, op.name, failure.name, retry)
					t.Run(name, func(t *testing.T) {
						t.Parallel()

						// Let call 1 fail, then call 2, and so on, until the operation makes fewer
						// calls. failAtCall checks the files and records after each failure.
						call := 1
						for op.failAtCall(t, place.open, failure, call, retry) {
							call++
							require.LessOrEqual(t, call, maxCalls, "calls without end")
						}
					})
				}
			}
		}
	}
}

// failAtCall runs the operation on a new store while one of its calls fails, and requires that the files are sound
// afterwards. It reports whether the operation has made that call.
func (op operation) failAtCall(t *testing.T, open openFunc, failure failure, call int, retry bool) (hasFailed bool) {
	t.Helper()
	f := open(t, filesapi.StoreConfig{Inspect: op.inspect})

	// Another file must stay as it is.
	bystander := f.upload(t, "bystander")
	f.clock.Advance(time.Second)
	id := ""
	if op.setUp != nil {
		id = op.setUp(t, f)
	}

	// Run the operation while a call fails.
	s, hit := failure.open(t, f, call)
	err := op.do(t, s.store, id)
	op.requireSound(t, f, id, fmt.Sprintf("call %d: %v", call, err), err, retry)
	require.Equal(t, "bystander", readContent(t, f.store, bystander.ID))
	if hit() {
		return true
	}

	// No call has failed, so the operation makes fewer calls. If it makes any call that can fail
	// like this, call 1 has failed in an earlier run.
	require.NoError(t, err)
	require.Equal(t, op.meets(failure.name, f), call > 1, "the fault was met")
	return false
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

// requireSound requires that the files are sound after an operation that returned err, and that a
// Sweep then leaves nothing to remove. With retry, the operation is repeated if it has failed, and
// must succeed.
func (op operation) requireSound(t *testing.T, f *fixture, id, name string, err error, retry bool) {
	t.Helper()
	if op.name != "a sweep" { // its debris has records without bytes
		for _, id := range listIDs(t, f.store, uploads.Filter{}, 10) {
			readContent(t, f.store, id) // a record has its bytes at every moment
		}
	}

	if err != nil && retry {
		if op.later {
			f.clock.Advance(longIdle)
		}
		require.NoError(t, op.do(t, f.store, id), "tried again after %s", name)
		err = nil
	}
	if err == nil {
		op.check(t, f, id)
	}

	f.clock.Advance(longIdle)
	_, sweepErr := f.store.Sweep(t.Context())
	require.NoError(t, sweepErr, name)
	requireRecordsMatchObjects(t, f.bucket, f.records)
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"), name)

	report, sweepErr := f.store.Sweep(t.Context())
	require.NoError(t, sweepErr, name)
	require.Equal(t, &uploads.SweepReport{}, report, "nothing is left, after %s", name)
}
