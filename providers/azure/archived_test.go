package azure

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// Azure answers 409 BlobArchived to every overwrite of an archived blob. A write then fails with Archived, and one
// with IfAbsent with PreconditionFailed. https://learn.microsoft.com/azure/storage/blobs/archive-blob,
// https://github.com/rclone/rclone/issues/3982.
func TestPutOverArchived(t *testing.T) {
	put := func(c storage.Condition) func(d *objectDriver) error {
		return func(d *objectDriver) error {
			r := wiretest.Put("a", "hello")
			r.Condition = c
			_, err := d.Put(t.Context(), r)
			return err
		}
	}
	commit := func(c storage.Condition) func(d *objectDriver) error {
		return func(d *objectDriver) error {
			r := wiretest.Put("a", "hello")
			r.Condition = c
			upload, err := d.BeginParts(t.Context(), r)
			require.NoError(t, err)
			_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: r, Upload: upload})
			return err
		}
	}
	copyIf := func(c storage.Condition) func(d *objectDriver) error {
		return func(d *objectDriver) error {
			_, err := d.Copy(t.Context(), &driver.CopyRequest{
				Source:     sourceOf(d, "from"),
				Key:        "a",
				Properties: plainText,
				Condition:  c,
			})
			return err
		}
	}
	absent := storage.Condition{Absent: true}
	object := objectReply("hello")
	refusal := errorReply(409, codeArchived)
	archived := objectReply("hello", "X-Ms-Access-Tier", "Archive")

	tests := []struct {
		name     string
		do       func(d *objectDriver) error
		answers  []reply
		want     storage.Code
		wantHint string
	}{
		{
			name:     "Put",
			do:       put(storage.Condition{}),
			answers:  []reply{refusal},
			want:     storage.Archived,
			wantHint: overwriteHint,
		},
		{
			name:     "Put on one being restored",
			do:       put(storage.Condition{}),
			answers:  []reply{errorReply(409, codeRehydrating)},
			want:     storage.Archived,
			wantHint: overwriteHint,
		},
		{
			name:    "Put if absent",
			do:      put(absent),
			answers: []reply{refusal},
			want:    storage.PreconditionFailed,
		},
		{
			name:     "parts",
			do:       commit(storage.Condition{}),
			answers:  []reply{refusal},
			want:     storage.Archived,
			wantHint: overwriteHint,
		},
		{
			name:    "parts if absent",
			do:      commit(absent),
			answers: []reply{refusal},
			want:    storage.PreconditionFailed,
		},
		{
			name:     "Copy onto one",
			do:       copyIf(storage.Condition{}),
			answers:  []reply{object, refusal, object},
			want:     storage.Archived,
			wantHint: overwriteHint,
		},
		{
			name:    "Copy onto one if absent",
			do:      copyIf(absent),
			answers: []reply{object, refusal, object},
			want:    storage.PreconditionFailed,
		},
		{
			name:     "Copy of one",
			do:       copyIf(storage.Condition{}),
			answers:  []reply{object, refusal, archived},
			want:     storage.Archived,
			wantHint: archiveHint,
		},
		{
			name:     "Copy of one if absent",
			do:       copyIf(absent),
			answers:  []reply{object, refusal, archived},
			want:     storage.Archived,
			wantHint: archiveHint,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.do(newCannedServer(t, tt.answers...).openDriver(t))
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantHint, asError(err).Hint)
		})
	}
}
