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

// If the bucket has no conditional writes, the states of uploads are only in the database. After the join, it
// remembers that the token was used.
func TestStatesInDatabase(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	f.send(t, "a", part(token, 2, 1))

	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 1, "the part")
	r := f.send(t, "b", part(token, 2, 2))
	require.Equal(t, "ab", readContent(t, f.store, r.ID))
	require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
	require.Len(t, f.database.states, 1, "what tells that the token was used")
	requireConsistent(t, f.bucket, f.records)
}

// If the bucket has conditional writes, the states of uploads are in the bucket, even if the records could hold
// them.
func TestStatesInBucketWithConditions(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	d := newDatabase(f.clock.Now)
	s, err := filesapi.NewStore(f.bucket, d, filesapi.StoreConfig{})
	require.NoError(t, err)

	_, err = s.UploadPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
	require.NoError(t, err)
	require.Empty(t, d.states)
	require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 2)
}

// Sweep removes idle uploads of which only the state is left in the database, or only parts with an unused state
// in the bucket.
func TestSweepOfPartialRemains(t *testing.T) {
	for name, sweep := range map[string]func(*fixture) error{
		"Sweep": func(f *fixture) error {
			_, err := f.store.Sweep(t.Context())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newDatabaseFixture(t, filesapi.StoreConfig{})
			send := func(token string) {
				_, err := f.store.UploadTempPart(t.Context(), strings.NewReader("x"), part(token, 2, 1))
				require.NoError(t, err)
			}
			send("state-and-part")
			both := keysUnder(t, f.bucket, "files/parts/")
			send("only-a-state")
			for _, key := range keysUnder(t, f.bucket, "files/parts/") {
				if key != both[0] {
					require.NoError(t, f.bucket.Remove(t.Context(), key))
				}
			}

			const first, last = "0000000000000000000000000000000000000000", "ffffffffffffffffffffffffffffffffffffffff"
			for _, hash := range []string{first, last} {
				f.put(t, "files/parts/"+hash+"/state.json")
				f.put(t, "files/parts/"+hash+"/piece-RUN/00001")
			}

			require.NoError(t, sweep(f))
			require.Len(t, f.database.states, 2)
			require.Len(t, keysUnder(t, f.bucket, "files/parts/"), 5, "none is idle")

			f.clock.Advance(25 * time.Hour)
			require.NoError(t, sweep(f))
			require.Empty(t, f.database.states)
			require.Empty(t, keysUnder(t, f.bucket, "files/parts/"))
		})
	}
}

// If Sweep cannot list the states, it removes no upload, because an upload of unknown state may be in use.
func TestSweepCannotListStates(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	f.send(t, "a", part(token, 2, 1))
	f.clock.Advance(25 * time.Hour)
	s, err := filesapi.NewStore(f.bucket, f.failing(1, false), filesapi.StoreConfig{Now: f.clock.Now})
	require.NoError(t, err)

	report, err := s.Sweep(t.Context())
	require.ErrorIs(t, err, storage.Unavailable)
	require.Zero(t, report.Uploads)
	require.Len(t, f.database.states, 1)
}

// If a client continues an expired upload while Sweep runs, the part that it sends meanwhile is not lost.
func TestSweepOfStateDuringPart(t *testing.T) {
	for n := 1; ; n++ {
		require.LessOrEqual(t, n, maxCalls, "calls without end")
		f := newDatabaseFixture(t, filesapi.StoreConfig{})
		f.send(t, "a", part(token, 3, 1))
		f.clock.Advance(25 * time.Hour)
		called := false
		resume := &pausedDatabase{f.records, f.database, n, func() {
			called = true
			f.clock.Advance(time.Second)
			require.Nil(t, f.send(t, "b", part(token, 3, 2)))
		}}
		s, err := filesapi.NewStore(f.bucket, resume, filesapi.StoreConfig{Now: f.clock.Now})
		require.NoError(t, err)
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		if !called {
			require.Greater(t, n, 4)
			return
		}
		if report.Uploads > 0 { // the part before has expired
			require.Nil(t, f.send(t, "a", part(token, 3, 1)))
		}
		require.Equal(t, "abc", readContent(t, f.store, f.send(t, "c", part(token, 3, 3)).ID), "call %d", n)
		requireConsistent(t, f.bucket, f.records)
	}
}

// A pausedDatabase calls happens before its n-th call for a state.
type pausedDatabase struct {
	uploads.Records
	states  uploads.States
	n       int
	happens func()
}

func (d *pausedDatabase) pause() {
	d.n--
	if d.n == 0 {
		d.happens()
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

// If a call dies after it joined the parts in a bucket without conditional writes, another call joins them again.
// Sweep removes the bytes that got no record.
func TestSweepRemovesJoinedBytesWithoutRecord(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	f.send(t, "a", part(token, 2, 1))

	_, err := f.mortal(t, &death{after: "Compose"}).store.UploadPart(t.Context(), strings.NewReader("b"), part(token, 2, 2))
	require.ErrorIs(t, err, errDead)
	r := f.send(t, "b", part(token, 2, 2))
	require.Len(t, keysUnder(t, f.bucket, "files/client/"), 2)

	f.clock.Advance(25 * time.Hour)
	require.Equal(t, &uploads.SweepReport{Bytes: 1, Uploads: 1}, f.sweep(t))
	require.Equal(t, "ab", readContent(t, f.store, r.ID))
	requireConsistent(t, f.bucket, f.records)
}

// If the database refuses every write of a state, UploadPart ends with Unavailable instead of trying forever.
func TestStatesConflictsEnd(t *testing.T) {
	f := newDatabaseFixture(t, filesapi.StoreConfig{})
	s, err := filesapi.NewStore(f.bucket, refusingStates{f.database, f.database}, filesapi.StoreConfig{})
	require.NoError(t, err)
	_, err = s.UploadPart(t.Context(), strings.NewReader("a"), part(token, 2, 1))
	requireRefused(t, err, "", uploads.StoreFailed, storage.Unavailable)
}

type refusingStates struct {
	uploads.Records
	uploads.States
}

func (refusingStates) SetState(context.Context, string, []byte, string) (string, error) {
	return "", storage.PreconditionFailed
}

// The state of an upload is kept in the records, or in a bucket with conditional writes. If neither can keep it,
// the error says what to configure.
func TestStatesNeedPlace(t *testing.T) {
	for name, features := range map[string]storage.Features{
		"no creation": storage.ConditionalCreate,
		"no update":   storage.ConditionalUpdate,
	} {
		t.Run(name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{})
			b := engine.New(f.driver, driver.WithLayer(faults.WithLimits(faults.Limits{Disable: features})))
			s, err := filesapi.NewStore(b, struct{ uploads.Records }{f.records}, filesapi.StoreConfig{})
			require.NoError(t, err)

			_, err = s.UploadPart(t.Context(), unread{t}, part(token, 1, 1))
			requireRefused(t, err, "", uploads.StoreFailed, storage.Unsupported)
			e, ok := errors.AsType[*storage.Error](err)
			require.True(t, ok)
			require.Contains(t, e.Hint, "sqlrecords")

			s, err = filesapi.NewStore(b, newDatabase(f.clock.Now), filesapi.StoreConfig{})
			require.NoError(t, err)
			r, err := s.UploadPart(t.Context(), strings.NewReader("all"), part(token, 1, 1))
			require.NoError(t, err)
			require.Equal(t, "all", readContent(t, s, r.ID))
		})
	}
}

// The suite of package uploadstest passes on S3 without conditional writes, such as Backblaze's, with states in a
// database.
func TestStoreOnS3WithoutConditions(t *testing.T) {
	uploadstest.RunService(t, func(t *testing.T) (storage.Bucket, uploads.Records) {
		server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}, Middleware: wiretest.OneRequestAConnection})
		require.NoError(t, err)
		t.Cleanup(server.Close)
		profile, ok := s3.NamedProfile("b2")
		require.True(t, ok)

		b, err := s3.Open(t.Context(), s3.Config{
			Bucket:      "photos",
			Endpoint:    server.URL,
			Region:      s3server.DefaultRegion,
			Profile:     &profile,
			AccessKeyID: s3server.DefaultAccessKeyID,
			SecretKey:   s3server.DefaultSecretKey,
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		require.False(t, storage.Supports(b, storage.ConditionalCreate))
		return b, newDatabase(time.Now)
	})
}
