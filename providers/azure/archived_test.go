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
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "from"), Key: "a", Properties: plainText, Condition: c})
			return err
		}
	}
	absent := storage.Condition{Absent: true}
	object := anObject("hello")
	refusal := refusing(409, codeArchived)
	archived := anObject("hello", "X-Ms-Access-Tier", "Archive")

	tests := map[string]struct {
		do      func(d *objectDriver) error
		answers []said
		want    storage.Code
		hint    string
	}{
		"Put": {do: put(storage.Condition{}), answers: []said{refusal}, want: storage.Archived, hint: overwriteHint},
		"Put on one being restored": {
			do:      put(storage.Condition{}),
			answers: []said{refusing(409, codeRehydrating)},
			want:    storage.Archived,
			hint:    overwriteHint,
		},
		"Put if absent":   {do: put(absent), answers: []said{refusal}, want: storage.PreconditionFailed},
		"parts":           {do: commit(storage.Condition{}), answers: []said{refusal}, want: storage.Archived, hint: overwriteHint},
		"parts if absent": {do: commit(absent), answers: []said{refusal}, want: storage.PreconditionFailed},
		"Copy onto one": {
			do:      copyIf(storage.Condition{}),
			answers: []said{object, refusal, object},
			want:    storage.Archived,
			hint:    overwriteHint,
		},
		"Copy onto one if absent": {do: copyIf(absent), answers: []said{object, refusal, object}, want: storage.PreconditionFailed},
		"Copy of one": {
			do:      copyIf(storage.Condition{}),
			answers: []said{object, refusal, archived},
			want:    storage.Archived,
			hint:    archiveHint,
		},
		"Copy of one if absent": {do: copyIf(absent), answers: []said{object, refusal, archived}, want: storage.Archived, hint: archiveHint},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.do(newScript(t, tt.answers...).driver(t))
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.hint, asError(err).Hint)
		})
	}
}
