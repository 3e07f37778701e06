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
	copied := func(c storage.Condition) func(d *objectDriver) error {
		return func(d *objectDriver) error {
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "from"), Key: "a", Properties: plainText, Condition: c})
			return err
		}
	}
	absent := storage.Condition{Absent: true}
	object := anObject("hello")
	refused := refusing(409, codeArchived)
	archived := anObject("hello", "X-Ms-Access-Tier", "Archive")
	for name, row := range map[string]struct {
		do      func(d *objectDriver) error
		answers []said
		want    storage.Code
		hint    string
	}{
		"Put":                       {put(storage.Condition{}), []said{refused}, storage.Archived, overwriteHint},
		"Put on one being restored": {put(storage.Condition{}), []said{refusing(409, codeRehydrating)}, storage.Archived, overwriteHint},
		"Put if absent":             {put(absent), []said{refused}, storage.PreconditionFailed, ""},
		"parts":                     {commit(storage.Condition{}), []said{refused}, storage.Archived, overwriteHint},
		"parts if absent":           {commit(absent), []said{refused}, storage.PreconditionFailed, ""},
		"Copy onto one":             {copied(storage.Condition{}), []said{object, refused, object}, storage.Archived, overwriteHint},
		"Copy onto one if absent":   {copied(absent), []said{object, refused, object}, storage.PreconditionFailed, ""},
		"Copy of one":               {copied(storage.Condition{}), []said{object, refused, archived}, storage.Archived, archiveHint},
		"Copy of one if absent":     {copied(absent), []said{object, refused, archived}, storage.Archived, archiveHint},
	} {
		t.Run(name, func(t *testing.T) {
			err := row.do(newScript(t, row.answers...).driver(t))
			require.Equal(t, row.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, row.hint, asError(err).Hint)
		})
	}
}
