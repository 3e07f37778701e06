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
	for _, row := range []struct {
		name, before, after, salt string
		transferred               bool
		heads                     int
	}{
		{"the same bytes", "before", "before", "", false, 0},
		{"other bytes", "before", "after.", "", true, 1},
		{"no bytes", "", "", "", false, 0},
		{"a server that encrypts", "before", "before", "salt", false, 1},
		{"a larger file", strings.Repeat("x", 256<<10+1), strings.Repeat("x", 256<<10+1), "", false, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			var seen calls
			b := memstore.New(seen.layer(), driver.WithLayer(func(d driver.Driver) driver.Driver { return &md5ETags{d, row.salt} }))
			dir := tree(t, map[string]string{"a.txt": row.before})
			_, err := transfer.Upload(t.Context(), b, dir)
			require.NoError(t, err)
			path := filepath.Join(dir, "a.txt")
			now := time.Now()
			require.NoError(t, os.WriteFile(path, []byte(row.after), 0o644))
			require.NoError(t, os.Chtimes(path, now, now))
			before := seen.count("Head")
			report, err := transfer.Upload(t.Context(), b, dir)
			require.NoError(t, err)
			require.Equal(t, row.transferred, report.Transferred == 1, report)
			require.Equal(t, row.heads, seen.count("Head")-before)
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
