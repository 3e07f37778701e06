package filesapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// A refusing store refuses each Put whose condition names a revision, as if the object always had
// another revision.
type refusing struct{ driver.Driver }

// Put fails if its condition names a revision.
func (d refusing) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if r.Condition.Revision != "" {
		return nil, storage.PreconditionFailed
	}
	return d.Driver.Put(ctx, r)
}

func refuseRevisions(d driver.Driver) driver.Driver { return refusing{d} }

// SetPurpose and UploadPart give up with Unavailable if each of their writes fails because another
// write was faster.
func TestStoreConflictsEnd(t *testing.T) {
	// A call that does not give up fails at this deadline.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tests := []struct {
		name string
		call func(f *fixture) error
	}{
		{
			name: "SetPurpose",
			call: func(f *fixture) error {
				_, err := f.store.SetPurpose(ctx, f.upload(t, "x").ID, "new")
				return err
			},
		},
		{
			name: "UploadPart of the last part",
			call: func(f *fixture) error {
				require.Nil(t, f.sendPart(t, "x", part(1).of(2)), "the file must not be complete")
				_, err := f.store.UploadPart(ctx, strings.NewReader("y"), part(2).of(2))
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newMemoryFixture(t, filesapi.StoreConfig{}, driver.WithLayer(refuseRevisions))
			err := tt.call(f)
			require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
			require.NoError(t, ctx.Err(), "the call must give up before the deadline")
		})
	}
}
