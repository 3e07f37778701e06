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

// cpFile copies a file of this machine to another path. It keeps the permissions and the
// modification time. The destination appears only when the copy is complete.
func cpFile(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	same, err := isSame(ctx, p, src, dst)
	if err != nil {
		return err
	}
	if same {
		return errSame
	}
	if err := checkFile(dst); err != nil {
		return err
	}
	if err := checkContent(src.Path, dst.Path); err != nil {
		return err
	}
	return transferOne(ctx, p, f, "copied", src, dst, func([]storage.TransferOption) (*storage.Attrs, error) {
		n, err := copyFile(ctx, src.Path, dst.Path, !f.noSync)
		return &storage.Attrs{Size: n}, err
	})
}

var errSame = argument.Invalid("source and destination must not be the same", "")

// checkContent refuses a source that is not a file, or that is the destination under another name.
func checkContent(source, destination string) error {
	info, err := os.Stat(source)
	if err != nil {
		// Opening the file reports the error.
		return nil
	}
	if !info.Mode().IsRegular() { // opening a pipe may block
		return argument.Invalid("source must be a regular file", `for standard input, use "-" as the source`)
	}
	if current, err := os.Stat(destination); err == nil && os.SameFile(current, info) {
		return errSame
	}
	return nil
}

// copyFile copies a file of this machine, with its permissions and its time, and returns the number
// of bytes. With sync, it waits until the copy is on the disk.
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

	content := io.Reader(f)
	if info.Size() > 0 {
		// Files of /proc have content although their size is 0.
		content = localfile.NewStable(f, info).Reader()
	}

	dst := temp.OS()
	n, err := io.Copy(dst, running.Reader(ctx, content))
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
	temp.Renamed()
	isRenamed = true
	if !sync {
		return n, nil
	}
	return n, localfile.SyncDir(dir)
}

// finishFile gives a complete file the permissions and modification time of another file, and
// closes it.
func finishFile(f *os.File, info fs.FileInfo, sync bool) error {
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

// makeDirectories creates a directory that does not exist. With sync, it waits until the name is on the disk.
func makeDirectories(dir string, sync bool) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		// If Stat has failed for another reason, the later write fails, too.
		return nil
	}
	if sync {
		return localfile.MkdirAll(dir, 0o777)
	}
	return os.MkdirAll(dir, 0o777)
}
