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

// md5ETags lists objects with the ETags of S3.
type md5ETags struct {
	driver.Driver
	salt string // what an encrypting server adds to the bytes
}

func (d *md5ETags) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		_, body, err := d.Get(ctx, &driver.GetRequest{Key: page.Entries[i].Key, Length: -1})
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
		page.Entries[i].ETag = `"` + hex.EncodeToString(sum[:]) + `"`
	}
	return page, nil
}

// A file that is younger than its object needs no request if the listing has its MD5.
func TestETagIsTheMD5OfAFile(t *testing.T) {
	tests := []struct {
		name, before, after, salt string
		transferred               bool
		heads                     int
	}{
		{name: "the same bytes", before: "before", after: "before"},
		{name: "other bytes", before: "before", after: "after.", transferred: true, heads: 1},
		{name: "no bytes"},
		{name: "a server that encrypts", before: "before", after: "before", salt: "salt", heads: 1},
		{
			name:   "a larger file",
			before: strings.Repeat("x", 256<<10+1),
			after:  strings.Repeat("x", 256<<10+1),
			heads:  1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var recorder calls
			b := memstore.New(recorder.layer(), driver.WithLayer(func(d driver.Driver) driver.Driver {
				return &md5ETags{d, tt.salt}
			}))
			dir := newTree(t, map[string]string{"a.txt": tt.before})
			_, err := transfer.Upload(t.Context(), b, dir)
			require.NoError(t, err)
			path := filepath.Join(dir, "a.txt")
			now := time.Now()
			require.NoError(t, os.WriteFile(path, []byte(tt.after), 0o644))
			require.NoError(t, os.Chtimes(path, now, now))
			heads := recorder.count("Head")

			report, err := transfer.Upload(t.Context(), b, dir)
			require.NoError(t, err)
			require.Equal(t, tt.transferred, report.Transferred == 1, report)
			require.Equal(t, tt.heads, recorder.count("Head")-heads)
		})
	}
}

// With GODEBUG=fips140=only, which forbids MD5 for security, jobs still compare the MD5 of a file with an ETag.
func TestETagUnderFIPS140(t *testing.T) {
	if fips140.Enforced() {
		TestETagIsTheMD5OfAFile(t)
		return
	}
	program, err := os.Executable()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), program, "-test.run=^TestETagUnderFIPS140$")
	command.Env = append(os.Environ(), "GODEBUG=fips140=only")
	data, err := command.CombinedOutput()
	require.NoError(t, err, "%s", data)
}
