package transfer_test

import (
	"context"
	"crypto/fips140"
	"crypto/md5"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// An md5ETags driver lists objects with the ETags of S3.
type md5ETags struct {
	driver.Driver
	salt string // what an encrypting server adds to the bytes
}

// List returns a page in which the ETag of each entry is the MD5 of the content. With a salt, it is
// the MD5 of the content and the salt.
func (d *md5ETags) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		entry := &page.Entries[i]
		_, body, err := d.Get(ctx, &driver.GetRequest{Key: entry.Key, Length: -1})
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		_ = body.Close()
		var sum [md5.Size]byte
		fips140.WithoutEnforcement(func() {
			sum = md5.Sum(append(content, d.salt...))
		})
		entry.ETag = `"` + hex.EncodeToString(sum[:]) + `"`
	}
	return page, nil
}

// If a file is newer than its object, Upload compares its MD5 with the ETag that S3 lists. Only if
// these differ, or the file is large, it requests the attributes of the object.
func TestETagIsTheMD5OfAFile(t *testing.T) {
	tooLarge := strings.Repeat("x", 256<<10+1) // one byte more than a file whose MD5 a job computes
	tests := []struct {
		name       string
		object     string // content of the object
		file       string // content of the file, which is newer
		salt       string // makes the ETag differ from the MD5, as on a server that encrypts
		wantCopied bool
		wantHeads  int // requests for attributes
	}{
		{name: "the same bytes", object: "before", file: "before"},
		{name: "other bytes", object: "before", file: "after.", wantCopied: true, wantHeads: 1},
		{name: "no bytes"},
		{name: "a server that encrypts", object: "before", file: "before", salt: "salt", wantHeads: 1},
		{name: "a larger file", object: tooLarge, file: tooLarge, wantHeads: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var recorder calls
			b := memstore.New(recorder.layer(), driver.WithLayer(func(d driver.Driver) driver.Driver {
				return &md5ETags{Driver: d, salt: tt.salt}
			}))
			dir := newTree(t, map[string]string{"a.txt": tt.object})
			_, err := transfer.Upload(t.Context(), b, dir)
			require.NoError(t, err)

			// The file is written after its object.
			path := filepath.Join(dir, "a.txt")
			now := time.Now()
			require.NoError(t, os.WriteFile(path, []byte(tt.file), 0o644))
			require.NoError(t, os.Chtimes(path, now, now))
			headsBefore := recorder.count("Head")

			report, err := transfer.Upload(t.Context(), b, dir)
			require.NoError(t, err)
			require.Equal(t, tt.wantCopied, report.Transferred == 1, report)
			require.Equal(t, tt.wantHeads, recorder.count("Head")-headsBefore)
		})
	}
}

// GODEBUG=fips140=only forbids MD5 for security. Jobs still compare the MD5 of a file with an ETag.
func TestETagUnderFIPS140(t *testing.T) {
	if fips140.Enforced() {
		TestETagIsTheMD5OfAFile(t)
		return
	}

	// This process runs the test again in a process with the setting fips140=only.
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestETagUnderFIPS140$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
}
