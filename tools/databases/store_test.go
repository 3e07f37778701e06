package databases_test

import (
	"database/sql"
	"strings"
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
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

// A service with its records in a database passes the suite of uploadstest, whatever bucket has its files.
func TestStore(t *testing.T) {
	buckets := map[string]func(t *testing.T) storage.Bucket{
		"memory":                    newMemoryBucket,
		"memory without conditions": newMemoryBucketWithoutConditions,
		"local":                     newLocalBucket,
	}
	runOnEachDatabase(t, func(t *testing.T, d database) {
		for name, newBucket := range buckets {
			t.Run(name, func(t *testing.T) {
				uploadstest.RunService(t, func(t *testing.T) (storage.Bucket, uploads.Records) {
					records, _ := d.newRecords(t)
					return newBucket(t), records
				})
			})
		}
	})
}

func newMemoryBucket(*testing.T) storage.Bucket { return memstore.New() }

func newMemoryBucketWithoutConditions(*testing.T) storage.Bucket {
	return withoutConditions(memstore.NewDriver(memstore.Config{}))
}

func newLocalBucket(t *testing.T) storage.Bucket {
	t.Helper()
	b, err := local.Open(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// withoutConditions returns a bucket that enforces no condition on writes.
func withoutConditions(d driver.Driver) storage.Bucket {
	return engine.New(d, driver.WithLayer(faults.WithLimits(faults.Limits{
		Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
	})))
}

// Sweep removes an unfinished upload when its pieces are old by the bucket's clock, and its state is old by that of the
// database. Here, the bucket has no conditional writes.
func TestSweepWithoutConditions(t *testing.T) {
	runOnEachDatabase(t, func(t *testing.T, d database) {
		const ttl = 24 * time.Hour
		const longerThanTTL = 25 * time.Hour
		records, db := d.newRecords(t)
		now := time.Now() // of the bucket
		b := withoutConditions(memstore.NewDriver(memstore.Config{Now: func() time.Time { return now }}))
		s, err := uploads.New(b, uploads.Config{Rules: rules.Any(0), Records: records, TTL: ttl, Unguarded: true})
		require.NoError(t, err)
		sweep := func() {
			_, err := s.Sweep(t.Context())
			require.NoError(t, err)
		}

		// Send the first of two pieces.
		_, err = s.PutPiece(t.Context(), uploads.Piece{
			Token:  "token-1234",
			Count:  2,
			Number: 1,
			Body:   strings.NewReader("a"),
			Name:   "a.txt",
		})
		require.NoError(t, err)
		require.Equal(t, 1, countStates(t, db))

		// The state and the piece are new.
		sweep()
		require.Equal(t, 1, countStates(t, db))

		// Only the state is old.
		makeOlder(t, db, d, longerThanTTL)
		sweep()
		require.Equal(t, 1, countStates(t, db))

		// The piece is old, too.
		now = now.Add(longerThanTTL)
		sweep()
		require.Zero(t, countStates(t, db))
		for entry, err := range b.List(t.Context(), storage.WithPrefix(uploads.DefaultPrefix)) {
			require.NoError(t, err)
			require.Fail(t, "left", entry.Key)
		}
	})
}

// countStates returns the number of unfinished uploads.
func countStates(t *testing.T, db *sql.DB) (states int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM omnibucket_files_parts").Scan(&states))
	return states
}
