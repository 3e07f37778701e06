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
	})(newShelf()).Describe()
	require.Equal(t, storage.MultipartUploads|storage.ConditionalCreate|driver.EqualParts, d.Features)
	require.Equal(t, []int64{1, 2, 3}, []int64{d.MaxPutSize, d.MinPartSize, d.MaxPartSize})
	require.Equal(t, []int{4, 0, 6}, []int{d.MaxParts, d.MaxBatch, d.MaxPage})
}

func TestLimitsOnlyNarrow(t *testing.T) {
	inner := faults.WithLimits(faults.Limits{MaxPutSize: 10, MinPartSize: 10, MaxParts: 10, MaxBatch: -1, MaxPage: 10})
	wide := faults.WithLimits(faults.Limits{MaxPutSize: 20, MinPartSize: 5, MaxParts: 20, MaxBatch: 5, MaxPage: 20})
	d := wide(inner(newShelf())).Describe()
	require.Equal(t, []int64{10, 10}, []int64{d.MaxPutSize, d.MinPartSize})
	require.Equal(t, []int{10, 0, 10}, []int{d.MaxParts, d.MaxBatch, d.MaxPage})
}

func TestLimitsOfZeroLeaveTheDriversOwn(t *testing.T) {
	s := newShelf()
	d := faults.WithLimits(faults.Limits{})(s)
	require.Equal(t, s.Describe(), d.Describe())
	require.NoError(t, put(d, "a", "x"))
}

func TestLimitsHoldTheCoreToThem(t *testing.T) {
	ctx := context.Background()
	crc := storage.CRC32C{Sum: 0, Known: true}
	parts := func(sizes ...int64) *driver.CompleteRequest {
		r := &driver.CompleteRequest{Put: &driver.PutRequest{Key: "a"}}
		for i, size := range sizes {
			r.Parts = append(r.Parts, driver.Part{Number: i + 1, Size: size})
		}
		return r
	}
	putOf := func(r driver.PutRequest) func(driver.Driver) error {
		return func(d driver.Driver) error {
			_, err := d.Put(ctx, &r)
			return err
		}
	}
	part := func(number int, size int64) func(driver.Driver) error {
		return func(d driver.Driver) error {
			_, err := d.PutPart(ctx, &driver.PartRequest{Number: number, Size: size})
			return err
		}
	}
	complete := func(sizes ...int64) func(driver.Driver) error {
		return func(d driver.Driver) error {
			_, err := d.CompleteParts(ctx, parts(sizes...))
			return err
		}
	}

	tests := map[string]struct {
		bounds faults.Limits
		call   func(driver.Driver) error
		ok     bool
	}{
		"a put within":               {faults.Limits{MaxPutSize: 2}, putOf(driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2}), true},
		"a put too large":            {faults.Limits{MaxPutSize: 1}, putOf(driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2}), false},
		"a stream":                   {faults.Limits{Disable: driver.StreamingPut}, putOf(driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: -1, CRC32C: crc}), false},
		"a body without Seek":        {faults.Limits{}, putOf(driver.PutRequest{Key: "a", Body: io.MultiReader(), Size: 0}), false},
		"no checksum":                {faults.Limits{Disable: driver.StreamingPut}, putOf(driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2}), false},
		"a refused condition":        {faults.Limits{Disable: storage.ConditionalCreate}, putOf(driver.PutRequest{Key: "a", Body: strings.NewReader(""), Condition: storage.Condition{Absent: true}}), false},
		"a refused class":            {faults.Limits{}, putOf(driver.PutRequest{Key: "a", Body: strings.NewReader(""), Properties: storage.Properties{StorageClass: "COLD"}}), false},
		"a part within":              {faults.Limits{MaxPartSize: 2, MaxParts: 2}, part(2, 2), true},
		"a part too large":           {faults.Limits{MaxPartSize: 2}, part(1, 3), false},
		"one part too many":          {faults.Limits{MaxParts: 2}, part(3, 1), false},
		"part 0":                     {faults.Limits{}, part(0, 1), false},
		"parts within":               {faults.Limits{MinPartSize: 2}, complete(2, 3, 1), true},
		"parts too small":            {faults.Limits{MinPartSize: 2}, complete(2, 1, 1), false},
		"equal parts":                {faults.Limits{EqualParts: true}, complete(2, 2, 1), true},
		"parts that differ":          {faults.Limits{EqualParts: true}, complete(2, 3, 1), false},
		"a last part that is larger": {faults.Limits{EqualParts: true}, complete(2, 2, 3), false},
		"a page too large": {faults.Limits{MaxPage: 2}, func(d driver.Driver) error {
			_, err := d.List(ctx, &driver.ListRequest{Limit: 3})
			return err
		}, false},
		"a batch too large": {faults.Limits{MaxBatch: 1}, func(d driver.Driver) error {
			return d.DeleteBatch(ctx, make([]driver.DeleteRequest, 2))[1]
		}, false},
		"a server copy": {faults.Limits{Disable: storage.ServerCopy}, func(d driver.Driver) error {
			_, err := d.Copy(ctx, &driver.CopyRequest{})
			return err
		}, false},
		"a conditional delete": {faults.Limits{Disable: storage.ConditionalRemove}, func(d driver.Driver) error {
			return d.Delete(ctx, &driver.DeleteRequest{Condition: storage.Condition{Revision: "1"}})
		}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.call(faults.WithLimits(tt.bounds)(newShelf()))
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.Equal(t, storage.Internal, storage.CodeOf(err))
		})
	}
}
