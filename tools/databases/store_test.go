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

func TestStore(t *testing.T) {
	runOnEach(t, func(t *testing.T, d database) {
		for _, place := range []struct {
			name string
			open func(t *testing.T) storage.Bucket
		}{
			{"memory", func(*testing.T) storage.Bucket { return memstore.New() }},
			{"memory without conditions", func(*testing.T) storage.Bucket { return withoutConditions(memstore.NewDriver(memstore.Config{})) }},
			{"local", func(t *testing.T) storage.Bucket {
				b, err := local.Open(t.TempDir(), local.Config{NoSync: true})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
				return b
			}},
		} {
			t.Run(place.name, func(t *testing.T) {
				uploadstest.RunService(t, func(t *testing.T) (storage.Bucket, uploads.Records) {
					records, _ := d.records(t)
					return place.open(t), records
				})
			})
		}
	})
}

// withoutConditions returns a bucket that enforces no condition on writes.
func withoutConditions(d driver.Driver) storage.Bucket {
	return engine.New(d, driver.WithLayer(faults.WithLimits(faults.Limits{
		Disable: storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove,
	})))
}

// If the bucket has no conditional writes, Sweep compares pieces with the bucket's clock, and states with that of
// the database. It removes an upload when both are old.
func TestSweepWithoutConditions(t *testing.T) {
	runOnEach(t, func(t *testing.T, d database) {
		records, db := d.records(t)
		now := time.Now()
		b := withoutConditions(memstore.NewDriver(memstore.Config{Now: func() time.Time { return now }}))
		s, err := uploads.New(b, uploads.Config{Rules: rules.Any(0), Records: records, TTL: 24 * time.Hour, Unguarded: true})
		require.NoError(t, err)
		sweep := func() {
			_, err := s.Sweep(t.Context())
			require.NoError(t, err)
		}
		_, err = s.PutPiece(t.Context(), uploads.Piece{Token: "token-1234", Count: 2, Number: 1, Body: strings.NewReader("a"), Name: "a.txt"})
		require.NoError(t, err)

		require.Equal(t, 1, count(t, db))
		sweep()
		require.Equal(t, 1, count(t, db), "it is not idle")

		makeOlder(t, db, d, 25*time.Hour)
		sweep()
		require.Equal(t, 1, count(t, db), "its part is young")

		now = now.Add(25 * time.Hour)
		sweep()
		require.Zero(t, count(t, db))

		for entry, err := range b.List(t.Context(), storage.WithPrefix(uploads.DefaultPrefix)) {
			require.NoError(t, err)
			require.Fail(t, "left", entry.Key)
		}
	})
}

func count(t *testing.T, db *sql.DB) (states int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM omnibucket_files_parts").Scan(&states))
	return states
}
