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

// In a bucket without conditional writes, the state of an upload is only in the database, which remembers after the
// join that the token was used.
func TestStatesInDatabase(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", part(1).of(2))

	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 1, "the part")
	record := f.sendPart(t, "b", part(2).of(2))
	require.Equal(t, "ab", readContent(t, f.store, record.ID))
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
	require.Len(t, f.database.states, 1)
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// The states of uploads are in the bucket if it has conditional writes, even if the records could keep them.
func TestStatesInBucketWithConditions(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	database := newDatabase(f.clock.Now)
	s, err := filesapi.NewStore(f.bucket, database, filesapi.StoreConfig{})
	require.NoError(t, err)

	_, err = s.UploadPart(t.Context(), strings.NewReader("a"), part(1).of(2))
	require.NoError(t, err)
	require.Empty(t, database.states)
	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 2)
}

// Sweep removes idle uploads of which only the state is left in the database, or only parts in the bucket.
func TestSweepOfPartialRemains(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	sendTempPart := func(token string) {
		_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("x"), partOptions(token, 2, 1))
		require.NoError(t, err)
	}

	// One upload has only a state in the database, and one a state and a part.
	sendTempPart("only-a-state")
	for _, key := range keysUnder(t, f.bucket, "files/parts/") {
		require.NoError(t, f.bucket.Remove(t.Context(), key))
	}
	sendTempPart("state-and-part")

	// Two uploads have a part, and a state in the bucket that is not used. They are the first and the last ones in the
	// order of keys.
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
	s, err := filesapi.NewStore(f.bucket, f.failingRecords(1, false), filesapi.StoreConfig{Now: f.clock.Now})
	require.NoError(t, err)

	report, err := s.Sweep(t.Context())
	require.ErrorIs(t, err, storage.Unavailable)
	require.Zero(t, report.Uploads)
	require.Len(t, f.database.states, 1)
}

// A part that a client sends to an expired upload while Sweep runs is not lost, whichever call it comes before.
func TestSweepOfStateDuringPart(t *testing.T) {
	call := 1

	// The part comes before call 1, 2 and so on that Sweep makes for a state, until a Sweep ends before that call.
	for ; ; call++ {
		require.LessOrEqual(t, call, maxCalls, "calls without end")
		f := newDatabaseFixture(t, filesapi.StoreConfig{})
		f.sendPart(t, "a", part(1).of(3))
		f.clock.Advance(longIdle)

		isSent := false
		sendSecondPart := func() {
			isSent = true
			f.clock.Advance(time.Second)
			require.Nil(t, f.sendPart(t, "b", part(2).of(3)))
		}

		records := &pausedDatabase{Records: f.records, states: f.database, left: call, before: sendSecondPart}
		s, err := filesapi.NewStore(f.bucket, records, filesapi.StoreConfig{Now: f.clock.Now})
		require.NoError(t, err)

		// The client sends a part during the Sweep.
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		if !isSent {
			// This Sweep has made fewer calls than the number at which the part comes.
			break
		}

		// If Sweep has removed the upload, the first part must be sent again.
		if report.Uploads > 0 {
			require.Nil(t, f.sendPart(t, "a", part(1).of(3)))
		}
		record := f.sendPart(t, "c", part(3).of(3))
		require.Equal(t, "abc", readContent(t, f.store, record.ID), "call %d", call)
		requireRecordsMatchObjects(t, f.bucket, f.records)
	}
	require.Greater(t, call, 4, "Sweep has made too few calls for states")
}

// A pausedDatabase runs a function just before one of its calls for the state of an upload.
type pausedDatabase struct {
	uploads.Records
	states uploads.States
	left   int // calls until that one
	before func()
}

// pause counts the calls, and runs the function before when its turn has come.
func (d *pausedDatabase) pause() {
	d.left--
	if d.left == 0 {
		d.before()
	}
}

func (d *pausedDatabase) State(ctx context.Context, key string) ([]byte, string, error) {
	d.pause()
	return d.states.State(ctx, key)
}

func (d *pausedDatabase) SetState(ctx context.Context, key string, state []byte, revision string) (string, error) {
	d.pause()
	return d.states.SetState(ctx, key, state, revision)
}

func (d *pausedDatabase) RemoveState(ctx context.Context, key, revision string) error {
	d.pause()
	return d.states.RemoveState(ctx, key, revision)
}

func (d *pausedDatabase) ListStates(ctx context.Context, startAfter string, limit int) ([]uploads.ListedState, string, error) {
	d.pause()
	return d.states.ListStates(ctx, startAfter, limit)
}

// In a bucket without conditional writes, a call has died after it joined the parts. Another call joins them again.
// Sweep then removes the bytes that no record names.
func TestSweepRemovesJoinedBytesWithoutRecord(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", part(1).of(2))

	dead := f.openWithKiller(t, &killer{afterCall: "Compose"})
	_, err := dead.store.UploadPart(t.Context(), strings.NewReader("b"), part(2).of(2))
	require.ErrorIs(t, err, errDead)
	record := f.sendPart(t, "b", part(2).of(2))
	require.Len(t, keysUnder(t, f.bucket, "files/client/"), 2)

	f.clock.Advance(longIdle)
	require.Equal(t, &uploads.SweepReport{Bytes: 1, Uploads: 1}, f.sweep(t))
	require.Equal(t, "ab", readContent(t, f.store, record.ID))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// UploadPart gives up with Unavailable if the database refuses every write of a state.
func TestStatesConflictsEnd(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	s, err := filesapi.NewStore(f.bucket, refusingStates{f.database, f.database}, filesapi.StoreConfig{})
	require.NoError(t, err)
	_, err = s.UploadPart(t.Context(), strings.NewReader("a"), part(1).of(2))
	requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
}

// refusingStates refuse each write, as if another one were always faster.
type refusingStates struct {
	uploads.Records
	uploads.States
}

func (refusingStates) SetState(context.Context, string, []byte, string) (string, error) {
	return "", storage.PreconditionFailed
}

// On a bucket without conditional writes, UploadPart keeps the states of uploads in the records. If those cannot keep
// states, its error says what to configure.
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

			// Neither the bucket nor the records can keep states: the struct hides all methods but those of Records.
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

// The suite of package uploadstest passes on S3 without conditional writes, such as Backblaze's, if the states are in a
// database.
func TestStoreOnS3WithoutConditions(t *testing.T) {
	uploadstest.RunService(t, func(t *testing.T) (storage.Bucket, uploads.Records) {
		server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}, Middleware: wiretest.OneRequestAConnection})
		require.NoError(t, err)
		t.Cleanup(server.Close)

		// The profile of Backblaze B2 makes the bucket do without conditional writes.
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
