package filesapi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

// If the bucket has no conditional writes, only the database has the state of an upload. The state
// stays there after the file was made, because it marks the token as used.
func TestStatesInDatabase(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", part(1).of(2))
	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 1, "only the part")

	record := f.sendPart(t, "b", part(2).of(2))
	require.Equal(t, "ab", readContent(t, f.store, record.ID))
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
	require.Len(t, f.database.states, 1)
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// If the bucket has conditional writes, the states of uploads are in the bucket, and not in the database.
func TestStatesInBucketWithConditions(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	database := newDatabase(f.clock.Now)
	s, err := filesapi.NewStore(f.bucket, database, filesapi.StoreConfig{})
	require.NoError(t, err)

	_, err = s.UploadPart(t.Context(), strings.NewReader("a"), part(1).of(2))
	require.NoError(t, err)
	require.Empty(t, database.states)
	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 2, "the part and the state")
}

// Sweep removes idle uploads, even if only their state is left in the database, or only their parts in the bucket.
func TestSweepOfPartialRemains(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})

	// sendTempPart sends the first of two parts of a temp file.
	sendTempPart := func(token string) {
		opts := part(1).of(2)
		opts.Token = token
		_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("x"), opts)
		require.NoError(t, err)
	}

	// One upload has only a state in the database. Another upload has a state and a part.
	sendTempPart("only-a-state")
	for _, key := range keysUnder(t, f.bucket, "files/parts/") {
		require.NoError(t, f.bucket.Remove(t.Context(), key))
	}
	sendTempPart("state-and-part")

	// Two more uploads have a part and an unused state in the bucket. In the order of keys, they
	// are the first and the last upload.
	firstHash := strings.Repeat("0", 40)
	lastHash := strings.Repeat("f", 40)
	for _, hash := range []string{firstHash, lastHash} {
		f.putObject(t, "files/parts/"+hash+"/state.json")
		f.putObject(t, "files/parts/"+hash+"/piece-RUN/00001")
	}

	// None of the uploads is idle yet.
	f.sweep(t)
	require.Len(t, f.database.states, 2)
	const parts, unusedStates = 3, 2
	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), parts+unusedStates)

	// All uploads are idle now.
	f.clock.Advance(longIdle)
	f.sweep(t)
	require.Empty(t, f.database.states)
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
}

// Sweep removes no upload if it cannot list the states, because any upload may be in use.
func TestSweepCannotListStates(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", part(1).of(2))
	f.clock.Advance(longIdle)

	// The first call of Sweep to the database fails. That call lists the states.
	const firstCall, responseLost = 1, false
	database := f.failingRecords(firstCall, responseLost)
	s, err := filesapi.NewStore(f.bucket, database, filesapi.StoreConfig{Now: f.clock.Now})
	require.NoError(t, err)

	report, err := s.Sweep(t.Context())
	require.ErrorIs(t, err, storage.Unavailable)
	require.Zero(t, report.Uploads)
	require.Len(t, f.database.states, 1)
}

// While Sweep removes an expired upload, a client sends a part to it, just before one of the calls
// of Sweep for the states of uploads. The part is not lost.
func TestSweepOfStateDuringPart(t *testing.T) {
	// In the nth run, the part comes just before the nth call of Sweep for the states. In the last
	// run, Sweep makes fewer calls.
	call := 1
	for ; ; call++ {
		require.LessOrEqual(t, call, maxCalls, "calls without end")

		// One of three parts was sent, and the upload has expired.
		f := newDatabaseFixture(t, filesapi.StoreConfig{})
		f.sendPart(t, "a", part(1).of(3))
		f.clock.Advance(longIdle)

		// The client sends the second part during the Sweep.
		isSent := false
		sendSecondPart := func() {
			isSent = true
			f.clock.Advance(time.Second)
			require.Nil(t, f.sendPart(t, "b", part(2).of(3)))
		}
		records := &pausedDatabase{Records: f.records, states: f.database, callsUntilPause: call, pause: sendSecondPart}
		s, err := filesapi.NewStore(f.bucket, records, filesapi.StoreConfig{Now: f.clock.Now})
		require.NoError(t, err)
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		if !isSent {
			break
		}

		// If Sweep has removed the upload, the first part must be sent again, but not the second one.
		if report.Uploads > 0 {
			require.Nil(t, f.sendPart(t, "a", part(1).of(3)))
		}
		record := f.sendPart(t, "c", part(3).of(3))
		require.Equal(t, "abc", readContent(t, f.store, record.ID), "call %d", call)
		requireRecordsMatchObjects(t, f.bucket, f.records)
	}
	const minCalls = 4
	require.Greater(t, call, minCalls, "Sweep has made too few calls for states")
}

// A pausedDatabase runs a function just before one of its calls for the state of an upload.
type pausedDatabase struct {
	uploads.Records
	states          uploads.States
	callsUntilPause int // counting that call
	pause           func()
}

// count counts a call. If it is the call before which the database must pause, count runs pause.
func (d *pausedDatabase) count() {
	d.callsUntilPause--
	if d.callsUntilPause == 0 {
		d.pause()
	}
}

func (d *pausedDatabase) State(ctx context.Context, key string) ([]byte, string, error) {
	d.count()
	return d.states.State(ctx, key)
}

func (d *pausedDatabase) SetState(ctx context.Context, key string, state []byte, revision string) (string, error) {
	d.count()
	return d.states.SetState(ctx, key, state, revision)
}

func (d *pausedDatabase) RemoveState(ctx context.Context, key, revision string) error {
	d.count()
	return d.states.RemoveState(ctx, key, revision)
}

func (d *pausedDatabase) ListStates(ctx context.Context, startAfter string, limit int) ([]uploads.ListedState, string, error) {
	d.count()
	return d.states.ListStates(ctx, startAfter, limit)
}

// In a bucket without conditional writes, a call is killed after it has joined the parts, and another call joins them
// again. Sweep removes the object of the first call, which has no record.
func TestSweepRemovesJoinedBytesWithoutRecord(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	f.dieAfterJoiningParts(t)
	record := f.sendPart(t, "b", part(2).of(2))
	require.Len(t, keysUnder(t, f.bucket, "files/client/"), 2, "one object of each call")

	f.clock.Advance(longIdle)
	require.Equal(t, &uploads.SweepReport{Bytes: 1, Uploads: 1}, f.sweep(t))
	require.Equal(t, "ab", readContent(t, f.store, record.ID))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// UploadPart fails with Unavailable if each of its writes of the state fails because another write
// was faster.
func TestStatesConflictsEnd(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	s, err := filesapi.NewStore(f.bucket, refusingStates{f.database, f.database}, filesapi.StoreConfig{})
	require.NoError(t, err)
	_, err = s.UploadPart(t.Context(), strings.NewReader("a"), part(1).of(2))
	requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
}

// refusingStates refuse each write, as if another write were always faster.
type refusingStates struct {
	uploads.Records
	uploads.States
}

func (refusingStates) SetState(context.Context, string, []byte, string) (string, error) {
	return "", storage.PreconditionFailed
}

// In a bucket without conditional writes, UploadPart keeps the states of uploads where the records are. If the records
// cannot keep states, the error of UploadPart says what to configure.
func TestStatesNeedPlace(t *testing.T) {
	tests := []struct {
		name    string
		missing storage.Features // features that the bucket lacks
	}{
		{name: "no conditional creation", missing: storage.ConditionalCreate},
		{name: "no conditional update", missing: storage.ConditionalUpdate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			bucket := engine.New(f.driver, driver.WithLayer(faults.WithLimits(faults.Limits{Disable: tt.missing})))

			// Neither the bucket nor the records can keep states. The struct has only the methods
			// of Records, and so hides those for states.
			s, err := filesapi.NewStore(bucket, struct{ uploads.Records }{f.records}, filesapi.StoreConfig{})
			require.NoError(t, err)

			_, err = s.UploadPart(t.Context(), unreadBody{t}, part(1).of(1))
			requireRefused(t, err, "", uploads.StoreFailed, storage.Unsupported)
			storeErr, ok := errors.AsType[*storage.Error](err)
			require.True(t, ok)
			require.Contains(t, storeErr.Hint, "sqlrecords")

			// The records can keep states.
			s, err = filesapi.NewStore(bucket, newDatabase(f.clock.Now), filesapi.StoreConfig{})
			require.NoError(t, err)
			record, err := s.UploadPart(t.Context(), strings.NewReader("all"), part(1).of(1))
			require.NoError(t, err)
			require.Equal(t, "all", readContent(t, s, record.ID))
		})
	}
}

// If the states are in a database, the suite of package uploadstest passes on an S3 service without
// conditional writes, such as that of Backblaze.
func TestStoreOnS3WithoutConditions(t *testing.T) {
	uploadstest.RunService(t, func(t *testing.T) (storage.Bucket, uploads.Records) {
		server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}, Middleware: wiretest.OneRequestAConnection})
		require.NoError(t, err)
		t.Cleanup(server.Close)

		// With the profile of Backblaze B2, the bucket uses no conditional writes.
		profile, ok := s3.NamedProfile("b2")
		require.True(t, ok)
		bucket, err := s3.Open(t.Context(), s3.Config{
			Bucket:      "photos",
			Endpoint:    server.URL,
			Region:      s3server.DefaultRegion,
			Profile:     &profile,
			AccessKeyID: s3server.DefaultAccessKeyID,
			SecretKey:   s3server.DefaultSecretKey,
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
		require.False(t, storage.Supports(bucket, storage.ConditionalCreate))
		return bucket, newDatabase(time.Now)
	})
}
