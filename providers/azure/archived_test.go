package azure

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Azure refuses to overwrite an archived object. A write then fails with Archived, or with
// PreconditionFailed if it has IfAbsent. If the source of a copy is the archived object, the copy
// fails with Archived and another hint.
// https://learn.microsoft.com/azure/storage/blobs/archive-blob,
// https://github.com/rclone/rclone/issues/3982.
func TestPutOverArchived(t *testing.T) {
	put := func(d *objectDriver, c storage.Condition) error {
		r := wiretest.Put("a", "hello")
		r.Condition = c
		_, err := d.Put(t.Context(), r)
		return err
	}
	putInParts := func(d *objectDriver, c storage.Condition) error {
		r := wiretest.Put("a", "hello")
		r.Condition = c
		upload, err := d.BeginParts(t.Context(), r)
		require.NoError(t, err)
		_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: r, Upload: upload})
		return err
	}
	copyObject := func(d *objectDriver, c storage.Condition) error {
		_, err := d.Copy(t.Context(), &driver.CopyRequest{
			Source:     sourceOf(d, "from"),
			Key:        "a",
			Properties: plainText,
			Condition:  c,
		})
		return err
	}
	object := objectReply("hello")
	archived := objectReply("hello", "X-Ms-Access-Tier", "Archive")
	refusal := errorReply(409, codeArchived)

	tests := []struct {
		name         string
		write        func(d *objectDriver, c storage.Condition) error
		replies      []reply
		want         storage.Code // of a write without a condition
		wantHint     string
		wantIfAbsent storage.Code // of a write with IfAbsent
	}{
		{
			name:         "Put",
			write:        put,
			replies:      []reply{refusal},
			want:         storage.Archived,
			wantHint:     overwriteHint,
			wantIfAbsent: storage.PreconditionFailed,
		},
		{
			name:         "Put over an object that is being restored",
			write:        put,
			replies:      []reply{errorReply(409, codeRehydrating)},
			want:         storage.Archived,
			wantHint:     overwriteHint,
			wantIfAbsent: storage.PreconditionFailed,
		},
		{
			name:         "CompleteParts",
			write:        putInParts,
			replies:      []reply{refusal},
			want:         storage.Archived,
			wantHint:     overwriteHint,
			wantIfAbsent: storage.PreconditionFailed,
		},
		{
			// Copy reads the source, and Azure refuses the copy. Copy reads the source again, to
			// learn which of the objects is archived.
			name:         "Copy onto an archived object",
			write:        copyObject,
			replies:      []reply{object, refusal, object},
			want:         storage.Archived,
			wantHint:     overwriteHint,
			wantIfAbsent: storage.PreconditionFailed,
		},
		{
			name:         "Copy of an archived object",
			write:        copyObject,
			replies:      []reply{object, refusal, archived},
			want:         storage.Archived,
			wantHint:     archiveHint,
			wantIfAbsent: storage.Archived,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, tt.replies...).openDriver(t)
			err := tt.write(d, storage.Condition{})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantHint, asError(err).Hint)

			d = newCannedServer(t, tt.replies...).openDriver(t)
			err = tt.write(d, storage.Condition{Absent: true})
			require.Equal(t, tt.wantIfAbsent, storage.CodeOf(err), "%v", err)

			// Only an error that says Archived has the hint.
			if tt.wantIfAbsent == storage.Archived {
				require.Equal(t, tt.wantHint, asError(err).Hint)
			} else {
				require.Empty(t, asError(err).Hint)
			}
		})
	}
}
