package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// inventoryOfBox writes an inventory of the bucket of s3Box into a directory. It returns the location of
// the manifest.
func inventoryOfBox(t *testing.T, s *shell) string {
	t.Helper()
	dir := t.TempDir()
	var rows bytes.Buffer
	for _, line := range splitLines(s.run("ls", "-r", "--json", "box:")) {
		var e struct {
			Key, ETag string
			Size      int64
			Modified  time.Time
		}
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		fmt.Fprintf(&rows, "photos,%s,%d,%s\n", e.Key, e.Size, e.Modified.Format(time.RFC3339Nano))
	}
	sum := func(content []byte) string {
		sum := md5.Sum(content)
		return hex.EncodeToString(sum[:])
	}
	manifest, err := json.Marshal(map[string]any{
		"sourceBucket":      "photos",
		"creationTimestamp": fmt.Sprint(time.Now().Add(-3 * time.Hour).UnixMilli()),
		"fileFormat":        "CSV",
		"fileSchema":        "Bucket, Key, Size, LastModifiedDate",
		"files":             []any{map[string]any{"key": "rows.csv", "size": rows.Len(), "MD5checksum": sum(rows.Bytes())}},
	})
	require.NoError(t, err)
	for name, content := range map[string][]byte{"rows.csv": rows.Bytes(), "manifest.json": manifest, "manifest.checksum": []byte(sum(manifest))} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o666))
	}
	s.setLocation("reports", "file://"+filepath.ToSlash(dir))
	return "reports:manifest.json"
}

// Commands can read an inventory instead of listing a bucket.
func TestInventoryOfCommands(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	for _, key := range []string{"2026/a", "2026/b", "2025/c"} {
		s.put("box:"+key, key)
	}
	// The inventory lacks what is stored after it.
	manifest := inventoryOfBox(t, s)
	s.put("box:2026/later", "later")

	// du prints the bytes, the number of objects and the folder, and that the inventory is three hours old.
	text, note := s.requireExit(exitOK, "du", "--inventory", manifest, "box:2026")
	require.Equal(t, []string{"12", "2", "2026/"}, strings.Fields(text))
	require.Contains(t, note, "the inventory is 3h0m")

	// sync and diff take only the objects of the inventory.
	dir := t.TempDir()
	_, note = s.requireExit(exitOK, "sync", "--inventory", manifest, "box:2026", dir)
	require.Contains(t, note, "2 transferred")
	require.Contains(t, note, "the inventory was 3h0m")
	text, _ = s.requireExit(exitOK, "diff", "--inventory", manifest, "--size", "box:2026", dir)
	require.Empty(t, text)

	// expire and rm remove only objects of the inventory.
	_, note = s.requireExit(exitOK, "expire", "--inventory", manifest, "--age", "30d", "box:2026")
	require.Contains(t, note, "0 deleted")
	_, note = s.requireExit(exitOK, "rm", "-r", "--inventory", manifest, "box:2026")
	require.Contains(t, note, "2 deleted")
	require.Equal(t, "2025/c\n2026/later\n", s.run("ls", "-r", "box:"))
}

// --inventory must name a manifest. The command must be one that can use an inventory in place of a
// listing.
func TestInventoryNeedsAManifestOfTheBucket(t *testing.T) {
	s := newShell(t)
	s.startS3Location("box", s3server.Config{})
	s.put("box:a", "a")
	manifest := inventoryOfBox(t, s)

	tests := []struct {
		args    []string
		wantErr string
	}{
		{
			args:    []string{"du", "--inventory", "reports:", "box:"},
			wantErr: "--inventory must be the location of a manifest",
		},
		{
			args:    []string{"du", "--inventory", manifest, "box:", "box:"},
			wantErr: "--inventory must be used with one location",
		},
		{args: []string{"rm", "--inventory", manifest, "box:a"}, wantErr: "--inventory must be used with -r"},
		{
			args:    []string{"sync", "--inventory", manifest, t.TempDir(), "box:"},
			wantErr: "--inventory must be used with a bucket",
		},
		{
			args:    []string{"sync", "--delete", "--inventory", manifest, "box:", t.TempDir()},
			wantErr: "--delete must not be used with --inventory",
		},
	}
	for _, tt := range tests {
		_, stderr := s.requireExit(exitUsage, tt.args...)
		require.Contains(t, stderr, tt.wantErr)
	}
}
