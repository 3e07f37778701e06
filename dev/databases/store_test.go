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
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/recordstest"
	"github.com/omnibucket/storage/internal/testing/filestest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
)

func TestStore(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
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
				recordstest.RunStore(t, func(t *testing.T) *files.Store {
					records, _ := d.records(t)
					s, err := files.New(place.open(t), records, files.Config{})
					require.NoError(t, err)
					return s
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

// Both sweeps go by the clock of the bucket for the parts, and by that of the database
// for the states.
func TestSweepsOfABucketWithoutConditions(t *testing.T) {
	sweeps := map[string]func(*testing.T, *files.Store){
		"Sweep": func(t *testing.T, s *files.Store) {
			_, err := s.Sweep(t.Context())
			require.NoError(t, err)
		},
		"ClearTemp": func(t *testing.T, s *files.Store) {
			_, err := s.ClearTemp(t.Context(), time.Hour)
			require.NoError(t, err)
		},
	}
	onEach(t, func(t *testing.T, d database) {
		for name, sweep := range sweeps {
			t.Run(name, func(t *testing.T) {
				records, db := d.records(t)
				now := time.Now()
				b := withoutConditions(memstore.NewDriver(memstore.Config{Now: func() time.Time { return now }}))
				s, err := files.New(b, records, files.Config{})
				require.NoError(t, err)
				_, err = s.UploadTempPart(t.Context(), strings.NewReader("a"), filestest.Part(filestest.Token, 2, 1))
				require.NoError(t, err)
				require.Equal(t, 1, count(t, db))
				sweep(t, s)
				require.Equal(t, 1, count(t, db), "it is not idle")
				age(t, db, d, 25*time.Hour)
				sweep(t, s)
				require.Equal(t, 1, count(t, db), "its part is young")
				now = now.Add(25 * time.Hour)
				sweep(t, s)
				require.Zero(t, count(t, db))
				for entry, err := range b.List(t.Context(), storage.WithPrefix("files/parts/")) {
					require.NoError(t, err)
					require.Fail(t, "left", entry.Key)
				}
			})
		}
	})
}

func count(t *testing.T, db *sql.DB) (states int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM omnibucket_files_parts").Scan(&states))
	return states
}
