package copying

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/running"
)

// cpFile copies a local file to another path, with its permissions and modification time. The destination appears when
// the copy is complete.
func cpFile(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	same, err := isSame(ctx, p, src, dst)
	if err != nil {
		return err
	}
	if same {
		return errSame
	}

	if err := checkLocalDestination(dst); err != nil {
		return err
	}
	if err := checkLocalSource(src.Path, dst.Path); err != nil {
		return err
	}

	// The options are for requests to a store, which a copy on this machine does not make.
	return transferOne(ctx, p, f, "copied", src, dst, func([]storage.TransferOption) (*storage.Attrs, error) {
		size, err := copyFile(ctx, src.Path, dst.Path, !f.noSync)
		return &storage.Attrs{Size: size}, err
	})
}

var errSame = argument.Invalid("source and destination must not be the same", "")

// checkLocalSource refuses a source that is not a regular file, or that is the destination under another name.
func checkLocalSource(source, destination string) error {
	info, err := os.Stat(source)
	if err != nil {
		// Opening the file reports the error.
		return nil
	}
	if !info.Mode().IsRegular() {
		// Opening a pipe, for example, could block.
		return argument.Invalid("source must be a regular file", `for standard input, use "-" as the source`)
	}

	if current, err := os.Stat(destination); err == nil && os.SameFile(current, info) {
		return errSame
	}
	return nil
}

// copyFile copies a file with its permissions and modification time, and returns the number of bytes. With sync, it
// waits until the copy is on the disk.
func copyFile(ctx context.Context, source, destination string, sync bool) (int64, error) {
	f, err := os.Open(source)
	if err != nil {
		return 0, err
	}
	// Nothing was written to the file, so an error of Close does not matter.
	defer f.Close()

	info, err := f.Stat()
	if err != nil {
		return 0, err
	}

	dir := filepath.Dir(destination)
	if err := makeDirectories(dir, sync); err != nil {
		return 0, err
	}

	// The copy is a temporary file until it is complete. A failure removes it.
	temp, err := partfile.Replace(partfile.System{}, destination, 0o600)
	if err != nil {
		return 0, localfile.WithPath(err, destination)
	}
	isRenamed := false
	defer func() {
		if !isRenamed {
			temp.Remove()
		}
	}()

	dst := temp.OS()
	n, err := copyContent(ctx, dst, f, info)
	if errors.Is(err, localfile.ErrChanged) {
		return n, program.ChangedFile(source)
	}
	if err != nil {
		return n, localfile.WithPath(err, destination)
	}

	if err := finishFile(dst, info, sync); err != nil {
		return n, localfile.WithPath(err, destination)
	}
	if err := os.Rename(dst.Name(), destination); err != nil {
		return n, localfile.WithPath(err, destination)
	}
	isRenamed = true
	temp.Renamed()

	if !sync {
		return n, nil
	}
	return n, localfile.SyncDir(dir)
}

// copyContent copies the content of a file. It fails with localfile.ErrChanged if the file changes meanwhile.
func copyContent(ctx context.Context, dst io.Writer, src *os.File, info fs.FileInfo) (int64, error) {
	content := io.Reader(src)
	// Files of /proc have content although their size is 0, so their size says nothing about a change.
	if info.Size() > 0 {
		content = localfile.NewStable(src, info).Reader()
	}
	return io.Copy(dst, running.Reader(ctx, content))
}

// finishFile gives a file the permissions and modification time of info, syncs it if sync is true, and closes it.
func finishFile(f *os.File, info fs.FileInfo, sync bool) error {
	// The file is closed even after a failure, whose error comes first.
	err := os.Chmod(f.Name(), info.Mode().Perm())
	if err == nil && sync {
		err = f.Sync()
	}
	closeErr := f.Close()
	if err != nil {
		return err
	}
	if closeErr != nil {
		return closeErr
	}
	// On Windows, closing the file may set its time.
	return os.Chtimes(f.Name(), info.ModTime(), info.ModTime())
}

// makeDirectories creates a directory and its parents if they are missing. With sync, it waits until they are on the
// disk.
func makeDirectories(dir string, sync bool) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		// If Stat has failed for another reason, writing to the directory will fail, too.
		return nil
	}
	if sync {
		return localfile.MkdirAll(dir, 0o777)
	}
	return os.MkdirAll(dir, 0o777)
}
