package iceberg

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The Parquet reader of arrow-go can read one column from a file of storage.FS without reading the other.
func TestFSFilesAreReadByArrow(t *testing.T) {
	const rows = 20_000
	const maxRequests = 12
	remarks := newRemarks(rows)
	defer remarks.Release()

	// The hook counts the requests to the store and their bytes.
	var requests, bytes atomic.Int64
	count := storage.WithHook(func(
		context.Context, storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		return nil, func(outcome storage.Outcome) {
			requests.Add(int64(outcome.Requests))
			bytes.Add(outcome.Bytes)
		}, nil
	})
	runOnEachStore(t, func(t *testing.T, b storage.Bucket) {
		attrs, err := writeTable(t.Context(), b, "tables/remarks.parquet", remarks)
		require.NoError(t, err)

		// Read only the first column of the first group of rows.
		requests.Store(0)
		bytes.Store(0)
		r, err := openTable(t.Context(), b, "tables/remarks.parquet")
		require.NoError(t, err)
		reader, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		require.NoError(t, err)
		firstColumn := []int{0}
		firstGroup := []int{0}
		table, err := reader.ReadRowGroups(t.Context(), firstColumn, firstGroup)
		require.NoError(t, err)
		defer table.Release()
		require.NoError(t, r.Close())

		// The column has all ids, and its bytes are only a small part of the file.
		require.Equal(t, int64(rows), table.NumRows())
		requireIDsInOrder(t, table.Column(0))

		t.Logf("%d requests, %d of %d bytes", requests.Load(), bytes.Load(), attrs.Size)
		require.Less(t, bytes.Load(), attrs.Size/4, "the other column is not read")
		require.LessOrEqual(t, requests.Load(), int64(maxRequests))
	}, count)
}

// newRemarks returns rows of an id, which counts from 0, and a longer text. The caller must release them.
func newRemarks(rows int) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "remark", Type: arrow.BinaryTypes.String},
	}, nil)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for id := range rows {
		builder.Field(0).(*array.Int64Builder).Append(int64(id))
		builder.Field(1).(*array.StringBuilder).Append(fmt.Sprint(id, strings.Repeat("-", 100)))
	}
	return builder.NewRecordBatch()
}

// requireIDsInOrder requires that the ids in a column count from 0.
func requireIDsInOrder(t *testing.T, column *arrow.Column) {
	t.Helper()
	var next int64
	for _, chunk := range column.Data().Chunks() {
		for _, id := range chunk.(*array.Int64).Int64Values() {
			require.Equal(t, next, id)
			next++
		}
	}
}
