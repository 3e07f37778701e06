package main

import (
	"bytes"
	"crypto/rand"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// connect returns a client of a server over b, in this process. end waits until the server has
// ended.
func connect(t *testing.T, b storage.Bucket) (c *sftp.Client, end func()) {
	t.Helper()
	server, connection := net.Pipe()
	served := make(chan error, 1)
	go func() {
		served <- serve(t.Context(), b, server)
	}()
	c, err := sftp.NewClientPipe(connection, connection)
	require.NoError(t, err)
	return c, func() {
		_ = c.Close()
		_ = connection.Close()
		<-served
	}
}

// Clients of SFTP make folders, and write, read, list, rename and remove files, which are objects of the bucket.
func TestSFTP(t *testing.T) {
	for name, address := range map[string]string{
		"memory": "mem://sftp",
		"local":  "file://" + filepath.ToSlash(filepath.Join(t.TempDir(), "bucket")) + "?create=true&sync=false",
	} {
		t.Run(name, func(t *testing.T) {
			b, err := storage.Open(t.Context(), address)
			require.NoError(t, err)
			c, end := connect(t, b)
			defer end()
			content := make([]byte, 3<<20+17) // which takes several requests at once
			_, _ = rand.Read(content)

			// Make a folder and write a file into it, which is an object of the bucket.
			require.NoError(t, c.Mkdir("/reports"))
			f, err := c.Create("/reports/may.bin")
			require.NoError(t, err)
			_, err = f.ReadFrom(bytes.NewReader(content))
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.NoError(t, c.Chmod("/reports/may.bin", 0o600))
			object, _, err := storage.ReadAll(t.Context(), b, "reports/may.bin")
			require.NoError(t, err)
			require.True(t, bytes.Equal(content, object))

			// Get the size of the file, list its folder, and read it.
			info, err := c.Stat("/reports/may.bin")
			require.NoError(t, err)
			require.Equal(t, int64(len(content)), info.Size())
			entries, err := c.ReadDir("/reports")
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.Equal(t, "may.bin", entries[0].Name())
			f, err = c.Open("/reports/may.bin")
			require.NoError(t, err)
			read, err := io.ReadAll(f)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			require.True(t, bytes.Equal(content, read))

			// Neither O_EXCL nor a rename of SFTP replaces a file.
			_, err = c.OpenFile("/reports/may.bin", os.O_WRONLY|os.O_CREATE|os.O_EXCL)
			require.Error(t, err)
			require.NoError(t, c.Rename("/reports/may.bin", "/june.bin"))
			_, err = c.Stat("/reports/may.bin")
			require.ErrorIs(t, err, fs.ErrNotExist)
			_, err = b.Upload(t.Context(), "july.bin", strings.NewReader("July"))
			require.NoError(t, err)
			require.Error(t, c.Rename("/june.bin", "/july.bin"))

			// A rename of POSIX replaces the file.
			require.NoError(t, c.PosixRename("/june.bin", "/july.bin"))

			// Remove the folder and the file.
			require.NoError(t, c.RemoveDirectory("/reports"))
			require.NoError(t, c.Remove("/july.bin"))
			entries, err = c.ReadDir("/")
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

// If the client disconnects during an upload, the old file stays.
func TestUploadBreaksOff(t *testing.T) {
	b := openWithFile(t, "mem://broken", "old")
	c, end := connect(t, b)
	f, err := c.Create("/a.txt")
	require.NoError(t, err)
	_, err = f.Write([]byte("ne"))
	require.NoError(t, err)

	end() // without closing the file

	require.Equal(t, "old", textOfFile(t, b))
}

// openWithFile opens a bucket and stores the file a.txt there.
func openWithFile(t *testing.T, address, text string) storage.Bucket {
	t.Helper()
	b, err := storage.Open(t.Context(), address)
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "a.txt", strings.NewReader(text))
	require.NoError(t, err)
	return b
}

// textOfFile returns the content of the file a.txt.
func textOfFile(t *testing.T, b storage.Bucket) string {
	t.Helper()
	text, _, err := storage.ReadAll(t.Context(), b, "a.txt")
	require.NoError(t, err)
	return string(text)
}

// If a client opens a file with O_APPEND and writes at its end, the bytes are appended. If it writes at 0, the
// write fails.
func TestAppendNeverOverwrites(t *testing.T) {
	tests := []struct {
		name     string
		address  string
		offset   int64 // of the write
		wantErr  bool
		wantText string
	}{
		{name: "at the end, as reput of OpenSSH", address: "mem://appended", offset: 3, wantText: "oldnew"},
		{name: "at 0, as OpenFile of package sftp", address: "mem://refused", offset: 0, wantErr: true, wantText: "old"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := openWithFile(t, tt.address, "old")
			c, end := connect(t, b)
			defer end()
			f, err := c.OpenFile("/a.txt", os.O_WRONLY|os.O_APPEND)
			require.NoError(t, err)

			_, err = f.WriteAt([]byte("new"), tt.offset)
			require.Equal(t, tt.wantErr, err != nil, "%v", err)

			require.NoError(t, f.Close())
			require.Equal(t, tt.wantText, textOfFile(t, b))
		})
	}
}

// Truncate shortens a file, and fails if the file is missing.
func TestTruncate(t *testing.T) {
	b := openWithFile(t, "mem://truncated", "text")
	c, end := connect(t, b)
	defer end()

	require.NoError(t, c.Truncate("/a.txt", 2))
	require.Equal(t, "te", textOfFile(t, b))

	require.ErrorIs(t, c.Truncate("/none", 2), fs.ErrNotExist)
}
