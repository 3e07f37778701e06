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

// Limits cannot be wider than those of the driver below.
func TestLimitsOnlyNarrow(t *testing.T) {
	inner := faults.WithLimits(faults.Limits{
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

	d := wide(inner(newFakeDriver())).Describe()
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

// A call that exceeds the limits of a driver fails, because the engine must not make it.
func TestLimitsHoldTheCoreToThem(t *testing.T) {
	ctx := context.Background()
	crc := storage.CRC32C{Sum: 0, Known: true}

	// Each of these functions returns a call of the driver.
	put := func(req driver.PutRequest) func(driver.Driver) error {
		return func(d driver.Driver) error {
			_, err := d.Put(ctx, &req)
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
		req := &driver.CompleteRequest{Put: &driver.PutRequest{Key: "a"}}
		for i, size := range sizes {
			req.Parts = append(req.Parts, driver.Part{Number: i + 1, Size: size})
		}
		return func(d driver.Driver) error {
			_, err := d.CompleteParts(ctx, req)
			return err
		}
	}
	listThree := func(d driver.Driver) error {
		_, err := d.List(ctx, &driver.ListRequest{Limit: 3})
		return err
	}
	deleteTwo := func(d driver.Driver) error {
		return d.DeleteBatch(ctx, make([]driver.DeleteRequest, 2))[1]
	}
	serverCopy := func(d driver.Driver) error {
		_, err := d.Copy(ctx, &driver.CopyRequest{})
		return err
	}
	deleteRevision := func(d driver.Driver) error {
		return d.Delete(ctx, &driver.DeleteRequest{Condition: storage.Condition{Revision: "1"}})
	}

	tests := map[string]struct {
		bounds faults.Limits
		call   func(driver.Driver) error
		ok     bool
	}{
		"a put within": {
			bounds: faults.Limits{MaxPutSize: 2},
			call:   put(driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2}),
			ok:     true,
		},
		"a put too large": {
			bounds: faults.Limits{MaxPutSize: 1},
			call:   put(driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2}),
			ok:     false,
		},
		"a stream": {
			bounds: faults.Limits{Disable: driver.StreamingPut},
			call:   put(driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: -1, CRC32C: crc}),
			ok:     false,
		},
		"a body without Seek": {
			bounds: faults.Limits{},
			call:   put(driver.PutRequest{Key: "a", Body: io.MultiReader(), Size: 0}),
			ok:     false,
		},
		"no checksum": {
			bounds: faults.Limits{Disable: driver.StreamingPut},
			call:   put(driver.PutRequest{Key: "a", Body: strings.NewReader("xx"), Size: 2}),
			ok:     false,
		},
		"a refused condition": {
			bounds: faults.Limits{Disable: storage.ConditionalCreate},
			call: put(driver.PutRequest{
				Key:       "a",
				Body:      strings.NewReader(""),
				Condition: storage.Condition{Absent: true},
			}),
			ok: false,
		},
		"a refused class": {
			bounds: faults.Limits{},
			call: put(driver.PutRequest{
				Key:        "a",
				Body:       strings.NewReader(""),
				Properties: storage.Properties{StorageClass: "COLD"},
			}),
			ok: false,
		},
		"a part within": {
			bounds: faults.Limits{MaxPartSize: 2, MaxParts: 2},
			call:   part(2, 2),
			ok:     true,
		},
		"a part too large":  {bounds: faults.Limits{MaxPartSize: 2}, call: part(1, 3), ok: false},
		"one part too many": {bounds: faults.Limits{MaxParts: 2}, call: part(3, 1), ok: false},
		"part 0":            {bounds: faults.Limits{}, call: part(0, 1), ok: false},
		"parts within": {
			bounds: faults.Limits{MinPartSize: 2},
			call:   complete(2, 3, 1),
			ok:     true,
		},
		"parts too small": {
			bounds: faults.Limits{MinPartSize: 2},
			call:   complete(2, 1, 1),
			ok:     false,
		},
		"equal parts": {
			bounds: faults.Limits{EqualParts: true},
			call:   complete(2, 2, 1),
			ok:     true,
		},
		"parts that differ": {
			bounds: faults.Limits{EqualParts: true},
			call:   complete(2, 3, 1),
			ok:     false,
		},
		"a last part that is larger": {
			bounds: faults.Limits{EqualParts: true},
			call:   complete(2, 2, 3),
			ok:     false,
		},
		"a page too large": {
			bounds: faults.Limits{MaxPage: 2},
			call:   listThree,
			ok:     false,
		},
		"a batch too large": {
			bounds: faults.Limits{MaxBatch: 1},
			call:   deleteTwo,
			ok:     false,
		},
		"a server copy": {
			bounds: faults.Limits{Disable: storage.ServerCopy},
			call:   serverCopy,
			ok:     false,
		},
		"a conditional delete": {
			bounds: faults.Limits{Disable: storage.ConditionalRemove},
			call:   deleteRevision,
			ok:     false,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.call(faults.WithLimits(tt.bounds)(newFakeDriver()))
			if tt.ok {
				require.NoError(t, err)
				return
			}
			require.Equal(t, storage.Internal, storage.CodeOf(err))
		})
	}
}
