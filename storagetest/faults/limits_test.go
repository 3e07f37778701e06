package faults_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
)

// WithLimits gives a driver limits, and the driver declares them in its description.
func TestLimitsAreDeclared(t *testing.T) {
	d := faults.WithLimits(faults.Limits{
		Disable:     driver.StreamingPut,
		EqualParts:  true,
		MaxPutSize:  1,
		MinPartSize: 2,
		MaxPartSize: 3,
		MaxParts:    4,
		MaxBatch:    -1,
		MaxPage:     6,
	})(newFakeDriver()).Describe()
	require.Equal(t, storage.MultipartUploads|storage.ConditionalCreate|driver.EqualParts, d.Features)
	require.EqualValues(t, 1, d.MaxPutSize)
	require.EqualValues(t, 2, d.MinPartSize)
	require.EqualValues(t, 3, d.MaxPartSize)
	require.Equal(t, 4, d.MaxParts)
	require.Zero(t, d.MaxBatch, "there is no DeleteBatch")
	require.Equal(t, 6, d.MaxPage)
}

// Limits that are wider than those of the driver below change nothing.
func TestLimitsOnlyNarrow(t *testing.T) {
	narrow := faults.WithLimits(faults.Limits{
		MaxPutSize:  10,
		MinPartSize: 10,
		MaxParts:    10,
		MaxBatch:    -1,
		MaxPage:     10,
	})
	wide := faults.WithLimits(faults.Limits{
		MaxPutSize:  20,
		MinPartSize: 5,
		MaxParts:    20,
		MaxBatch:    5,
		MaxPage:     20,
	})

	d := wide(narrow(newFakeDriver())).Describe()
	require.EqualValues(t, 10, d.MaxPutSize)
	require.EqualValues(t, 10, d.MinPartSize)
	require.Equal(t, 10, d.MaxParts)
	require.Zero(t, d.MaxBatch, "there is no DeleteBatch")
	require.Equal(t, 10, d.MaxPage)
}

// The zero Limits change nothing.
func TestLimitsOfZeroLeaveTheDriversOwn(t *testing.T) {
	fake := newFakeDriver()
	d := faults.WithLimits(faults.Limits{})(fake)
	require.Equal(t, fake.Describe(), d.Describe())
	require.NoError(t, put(d, "a", "x"))
}

// A call that exceeds the limits of a driver fails with Internal, because the engine must not make it.
func TestLimitsHoldTheCoreToThem(t *testing.T) {
	t.Run("Put", testLimitsOfPut)
	t.Run("PutPart", testLimitsOfPutPart)
	t.Run("CompleteParts", testLimitsOfCompleteParts)
	t.Run("other calls", testLimitsOfOtherCalls)
}

// requireWithinLimits requires that a call succeeded if it was within the limits. Otherwise it failed with Internal.
func requireWithinLimits(t *testing.T, within bool, err error) {
	t.Helper()
	if within {
		require.NoError(t, err)
		return
	}
	require.Equal(t, storage.Internal, storage.CodeOf(err))
}

func testLimitsOfPut(t *testing.T) {
	sumOfNothing := storage.CRC32C{Sum: 0, Known: true}
	tests := []struct {
		name       string
		limits     faults.Limits
		req        driver.PutRequest
		wantWithin bool
	}{
		{
			name:       "a put within",
			limits:     faults.Limits{MaxPutSize: 2},
			req:        driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2},
			wantWithin: true,
		},
		{
			name:       "a put too large",
			limits:     faults.Limits{MaxPutSize: 1},
			req:        driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2},
			wantWithin: false,
		},
		{
			name:   "a stream",
			limits: faults.Limits{Disable: driver.StreamingPut},
			req: driver.PutRequest{
				Key:    "a",
				Body:   strings.NewReader("xx"),
				Size:   -1,
				CRC32C: sumOfNothing,
			},
			wantWithin: false,
		},
		{
			name:       "a body without Seek",
			limits:     faults.Limits{},
			req:        driver.PutRequest{Key: "a", Body: io.MultiReader(), Size: 0},
			wantWithin: false,
		},
		{
			name:       "no checksum",
			limits:     faults.Limits{Disable: driver.StreamingPut},
			req:        driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2},
			wantWithin: false,
		},
		{
			name:   "a refused condition",
			limits: faults.Limits{Disable: storage.ConditionalCreate},
			req: driver.PutRequest{
				Key:       "a",
				Body:      strings.NewReader(""),
				Condition: storage.Condition{Absent: true},
			},
			wantWithin: false,
		},
		{
			name:   "a refused class",
			limits: faults.Limits{},
			req: driver.PutRequest{
				Key:        "a",
				Body:       strings.NewReader(""),
				Properties: storage.Properties{StorageClass: "COLD"},
			},
			wantWithin: false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := faults.WithLimits(tt.limits)(newFakeDriver())
			_, err := d.Put(context.Background(), &tt.req)
			requireWithinLimits(t, tt.wantWithin, err)
		})
	}
}

func testLimitsOfPutPart(t *testing.T) {
	tests := []struct {
		name       string
		limits     faults.Limits
		number     int
		size       int64
		wantWithin bool
	}{
		{
			name:       "a part within",
			limits:     faults.Limits{MaxPartSize: 2, MaxParts: 2},
			number:     2,
			size:       2,
			wantWithin: true,
		},
		{name: "a part too large", limits: faults.Limits{MaxPartSize: 2}, number: 1, size: 3, wantWithin: false},
		{name: "one part too many", limits: faults.Limits{MaxParts: 2}, number: 3, size: 1, wantWithin: false},
		{name: "part 0", limits: faults.Limits{}, number: 0, size: 1, wantWithin: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := faults.WithLimits(tt.limits)(newFakeDriver())
			_, err := d.PutPart(context.Background(), &driver.PartRequest{Number: tt.number, Size: tt.size})
			requireWithinLimits(t, tt.wantWithin, err)
		})
	}
}

func testLimitsOfCompleteParts(t *testing.T) {
	tests := []struct {
		name       string
		limits     faults.Limits
		partSizes  [3]int64
		wantWithin bool
	}{
		{
			name:       "parts within, and a smaller last one",
			limits:     faults.Limits{MinPartSize: 2},
			partSizes:  [3]int64{2, 3, 1},
			wantWithin: true,
		},
		{
			name:       "parts too small",
			limits:     faults.Limits{MinPartSize: 2},
			partSizes:  [3]int64{2, 1, 1},
			wantWithin: false,
		},
		{
			name:       "equal parts, and a smaller last one",
			limits:     faults.Limits{EqualParts: true},
			partSizes:  [3]int64{2, 2, 1},
			wantWithin: true,
		},
		{
			name:       "parts that differ",
			limits:     faults.Limits{EqualParts: true},
			partSizes:  [3]int64{2, 3, 1},
			wantWithin: false,
		},
		{
			name:       "a last part that is larger",
			limits:     faults.Limits{EqualParts: true},
			partSizes:  [3]int64{2, 2, 3},
			wantWithin: false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := faults.WithLimits(tt.limits)(newFakeDriver())
			_, err := d.CompleteParts(context.Background(), &driver.CompleteRequest{
				Put: &driver.PutRequest{Key: "a"},
				Parts: []driver.Part{
					{Number: 1, Size: tt.partSizes[0]},
					{Number: 2, Size: tt.partSizes[1]},
					{Number: 3, Size: tt.partSizes[2]},
				},
			})
			requireWithinLimits(t, tt.wantWithin, err)
		})
	}
}

func testLimitsOfOtherCalls(t *testing.T) {
	ctx := context.Background()

	t.Run("a page too large", func(t *testing.T) {
		d := faults.WithLimits(faults.Limits{MaxPage: 2})(newFakeDriver())
		_, err := d.List(ctx, &driver.ListRequest{Limit: 3})
		require.Equal(t, storage.Internal, storage.CodeOf(err))
	})

	t.Run("a batch too large", func(t *testing.T) {
		d := faults.WithLimits(faults.Limits{MaxBatch: 1})(newFakeDriver())
		errs := d.DeleteBatch(ctx, make([]driver.DeleteRequest, 2))
		require.Equal(t, storage.Internal, storage.CodeOf(errs[1]))
	})

	t.Run("a server copy", func(t *testing.T) {
		d := faults.WithLimits(faults.Limits{Disable: storage.ServerCopy})(newFakeDriver())
		_, err := d.Copy(ctx, &driver.CopyRequest{})
		require.Equal(t, storage.Internal, storage.CodeOf(err))
	})

	t.Run("a conditional delete", func(t *testing.T) {
		d := faults.WithLimits(faults.Limits{Disable: storage.ConditionalRemove})(newFakeDriver())
		err := d.Delete(ctx, &driver.DeleteRequest{Condition: storage.Condition{Revision: "1"}})
		require.Equal(t, storage.Internal, storage.CodeOf(err))
	})
}
