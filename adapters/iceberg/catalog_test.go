package iceberg

import (
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/catalogtest"
	"github.com/apache/iceberg-go/catalog/hadoop"
	sqlcatalog "github.com/apache/iceberg-go/catalog/sql"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/omnibucket/storage"
)

// newSQLiteCatalog returns a catalog whose warehouse is in the registered bucket.
func newSQLiteCatalog(t *testing.T, root string) *sqlcatalog.Catalog {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "catalog.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c, err := sqlcatalog.NewCatalog("test", db, sqlcatalog.SQLite, iceberg.Properties{
		"warehouse": root + "/warehouse",
	})
	require.NoError(t, err)
	return c
}

// newBucketCatalog returns a catalog that keeps everything in the registered bucket.
func newBucketCatalog(t *testing.T, root string) *hadoop.Catalog {
	t.Helper()
	c, err := hadoop.NewCatalog("test", root+"/warehouse", iceberg.Properties{"allow-unsafe-commits": "true"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// Iceberg-go's test suite for catalogs passes with its two catalogs that need no server.
func TestCatalogSuite(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, b storage.Bucket) {
		// Each catalog needs an empty root, which is a new folder of the bucket.
		folders := 0
		newRoot := func(t *testing.T) string {
			folders++
			return register(t, storage.Prefixed(b, fmt.Sprintf("%d/", folders)))
		}
		t.Run("in SQLite", func(t *testing.T) {
			catalogtest.RunCatalogTests(t, catalogtest.Config{
				SupportsNamespaceProperties: true,
				NewCatalog: func(t *testing.T) catalog.Catalog {
					return newSQLiteCatalog(t, newRoot(t))
				},
			})
		})
		t.Run("in the bucket", func(t *testing.T) {
			catalogtest.RunCatalogTests(t, catalogtest.Config{
				NewCatalog: func(t *testing.T) catalog.Catalog {
					return newBucketCatalog(t, newRoot(t))
				},
			})
		})
	})
}

var tripSchema = iceberg.NewSchema(0,
	iceberg.NestedField{ID: 1, Name: "id", Type: iceberg.PrimitiveTypes.Int64, Required: true},
	iceberg.NestedField{ID: 2, Name: "city", Type: iceberg.PrimitiveTypes.String},
)

// newTrips returns rows for a table. Their ids begin at first.
func newTrips(t *testing.T, tbl *table.Table, first, count int) array.RecordReader {
	t.Helper()
	schema, err := table.SchemaToArrowSchema(tbl.Schema(), nil, false, false)
	require.NoError(t, err)
	var rows []string
	for id := first; id < first+count; id++ {
		rows = append(rows, fmt.Sprintf(`{"id":%d,"city":"city %d"}`, id, id%10))
	}
	data, err := array.TableFromJSON(memory.DefaultAllocator, schema,
		[]string{"[" + strings.Join(rows, ",") + "]"})
	require.NoError(t, err)
	defer data.Release()
	reader := array.NewTableReader(data, -1)
	t.Cleanup(reader.Release)
	return reader
}

// ids scans a table, and returns the ids in order.
func ids(t *testing.T, tbl *table.Table, opts ...table.ScanOption) (all []int64) {
	t.Helper()
	_, batches, err := tbl.Scan(opts...).ToArrowRecords(t.Context())
	require.NoError(t, err)

	for batch, err := range batches {
		require.NoError(t, err)
		ids := column[*array.Int64](batch, "id")
		cities := column[*array.String](batch, "city")
		for i := range int(batch.NumRows()) {
			require.Equal(t, fmt.Sprintf("city %d", ids.Value(i)%10), cities.Value(i))
			all = append(all, ids.Value(i))
		}
		batch.Release()
	}

	slices.Sort(all)
	return all
}

func column[T arrow.Array](batch arrow.RecordBatch, name string) T {
	return batch.Column(batch.Schema().FieldIndices(name)[0]).(T)
}

// idRange returns the ids from first to end, without end.
func idRange(first, end int64) (all []int64) {
	for id := first; id < end; id++ {
		all = append(all, id)
	}
	return all
}

// With each of iceberg-go's catalogs that need no server, rows of a table can be appended, deleted and read. Expired
// files are removed, and a purge leaves nothing.
func TestCatalogTable(t *testing.T) {
	runOnEachStore(t, func(t *testing.T, b storage.Bucket) {
		root := register(t, b)
		for name, c := range map[string]purgingCatalog{
			"in SQLite":     newSQLiteCatalog(t, root),
			"in the bucket": newBucketCatalog(t, root),
		} {
			t.Run(name, func(t *testing.T) {
				ctx := t.Context()
				namespace := table.Identifier{"travel"}
				trips := table.Identifier{"travel", "trips"}
				require.NoError(t, c.CreateNamespace(ctx, namespace, nil))
				tbl, err := c.CreateTable(ctx, trips, tripSchema)
				require.NoError(t, err)

				// Append the ids 0 to 1499, and delete those below 100.
				tbl, err = tbl.Append(ctx, newTrips(t, tbl, 0, 1000), nil)
				require.NoError(t, err)
				firstSnapshot := tbl.CurrentSnapshot().SnapshotID
				tbl, err = tbl.Append(ctx, newTrips(t, tbl, 1000, 500), nil)
				require.NoError(t, err)
				_, err = tbl.Delete(ctx, iceberg.LessThan(iceberg.Reference("id"), int64(100)), nil)
				require.NoError(t, err)

				// Read all rows, those of the first snapshot, and those that a filter selects.
				tbl, err = c.LoadTable(ctx, trips)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(tbl.MetadataLocation(), root+"/warehouse/"))
				require.Equal(t, idRange(100, 1500), ids(t, tbl))
				require.Equal(t, idRange(0, 1000), ids(t, tbl, table.WithSnapshotID(firstSnapshot)))
				from1490 := iceberg.GreaterThanEqual(iceberg.Reference("id"), int64(1490))
				require.Equal(t, idRange(1490, 1500), ids(t, tbl, table.WithRowFilter(from1490)))

				// Write a file that belongs to no snapshot.
				objectsBefore := count(t, b)
				orphan := root + strings.TrimPrefix(tbl.Location(), root) + "/data/orphan.parquet"
				require.NoError(t, New(ctx, b, root).WriteFile(orphan, []byte("no part of the table")))

				tbl = expireSnapshots(t, tbl)
				require.Less(t, count(t, b), objectsBefore+1, "must remove what no snapshot needs")
				require.Equal(t, idRange(100, 1500), ids(t, tbl))

				// The purge removes all files, and the catalog then forgets the namespace.
				require.NoError(t, c.PurgeTable(ctx, trips))
				require.NoError(t, c.DropNamespace(ctx, namespace))
				require.Zero(t, count(t, b))
			})
		}
	})
}

// expireSnapshots expires all snapshots of a table but the last one, and returns the changed table.
func expireSnapshots(t *testing.T, tbl *table.Table) *table.Table {
	t.Helper()
	transaction := tbl.NewTransaction()
	require.NoError(t, transaction.ExpireSnapshots(table.WithOlderThan(0), table.WithRetainLast(1)))
	changed, err := transaction.Commit(t.Context())
	require.NoError(t, err)
	return changed
}

// A purgingCatalog can also remove the files of a table.
type purgingCatalog interface {
	catalog.Catalog
	catalog.PurgeableTable
}

// count returns the number of objects.
func count(t *testing.T, b storage.Bucket) (objects int) {
	t.Helper()
	for _, err := range b.List(t.Context()) {
		require.NoError(t, err)
		objects++
	}
	return objects
}

// If several appends commit at the same time, the table has exactly the rows of those that succeeded.
func TestCatalogCommitsAtOnce(t *testing.T) {
	const writers = 4
	const rowsOfWriter = 10
	runOnEachStore(t, func(t *testing.T, b storage.Bucket) {
		c := newBucketCatalog(t, register(t, b))
		require.NoError(t, c.CreateNamespace(t.Context(), table.Identifier{"travel"}, nil))
		trips := table.Identifier{"travel", "trips"}
		tbl, err := c.CreateTable(t.Context(), trips, tripSchema)
		require.NoError(t, err)

		// Writer i appends the ids from i*rowsOfWriter on.
		var group sync.WaitGroup
		errs := make([]error, writers)
		for i := range writers {
			rows := newTrips(t, tbl, i*rowsOfWriter, rowsOfWriter)
			group.Go(func() {
				_, errs[i] = tbl.Append(t.Context(), rows, nil)
			})
		}
		group.Wait()

		var want []int64
		for i, err := range errs {
			if err == nil {
				want = append(want, idRange(int64(i*rowsOfWriter), int64((i+1)*rowsOfWriter))...)
			}
		}
		require.NotEmpty(t, want, "one append must succeed: %v", errs)
		tbl, err = c.LoadTable(t.Context(), trips)
		require.NoError(t, err)
		require.Equal(t, want, ids(t, tbl))
		// Each append that has succeeded has made one snapshot.
		require.Len(t, tbl.Metadata().Snapshots(), len(want)/rowsOfWriter)
	})
}

// A catalog fails with BucketNotFound at a location whose bucket is not registered.
func TestRegisterUnknownBucket(t *testing.T) {
	register(t, nil)
	_, err := hadoop.NewCatalog("test", "s3://other/warehouse", iceberg.Properties{
		"allow-unsafe-commits": "true",
	})
	require.ErrorIs(t, err, storage.BucketNotFound)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Register refuses a root that is not a scheme and a name.
func TestRegisterInvalidRoot(t *testing.T) {
	for _, root := range []string{"lake", "s3://", "s3://lake/", "s3://lake/warehouse", "s3://user@lake", "s3://la ke"} {
		require.ErrorIs(t, Register(root, nil), storage.InvalidArgument, root)
	}
}
