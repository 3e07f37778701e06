package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/durable"
)

// UploadFile uploads a file: read in place, its parts in parallel, and none of them in
// memory. If the file cannot be read, it fails with BodyFailed.
func UploadFile(ctx context.Context, b Uploader, key, path string, opts ...UploadOption) (*Attrs, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, located(b, "UploadFile", key, bodyFailed(err))
	}
	defer func() { _ = file.Close() }()
	return b.Upload(ctx, key, file, opts...)
}

// DownloadFile downloads an object to a file. With [WithConcurrency] above 1 it fetches
// parallel ranges and writes them in place, none of them in memory. The file appears
// whole or not at all. If path is a regular file, it is replaced and its mode is kept;
// if it is a symbolic link, the link is replaced. If the checksum does not match, path
// is not changed.
//
// InvalidArgument: path is any other kind of file, or its directory does not exist
// (then the error matches fs.ErrNotExist too). Internal: the file cannot be written;
// errors.As reaches the *fs.PathError.
//
// The file and its name are on the disk before DownloadFile returns: after a power
// failure there is the old file or the new one, whole. [WithNoSync] turns that off. If
// DownloadFile fails after the file has its name, the new file may be there.
func DownloadFile(ctx context.Context, b Downloader, key, path string, opts ...DownloadOption) (*Attrs, error) {
	if e := checkTarget(path); e != nil {
		return nil, located(b, "DownloadFile", key, e)
	}
	r, err := b.Download(ctx, key, opts...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	fail := func(err error) (*Attrs, error) {
		return nil, located(b, "DownloadFile", key, &Error{Code: Internal, Err: err})
	}
	file, err := createBeside(path)
	if err != nil {
		return fail(err)
	}
	defer func() { // does nothing after the rename
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	if err := r.writeFile(file); err != nil {
		var own *Error
		if errors.As(err, &own) {
			return nil, err
		}
		return fail(err)
	}
	sync := !r.d.req.set.noSync
	if sync { // before the rename: else the name could survive a power failure without the bytes
		if err := file.Sync(); err != nil {
			return fail(err)
		}
	}
	if err := file.Close(); err != nil {
		return fail(err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fail(err)
	}
	if sync {
		if err := durable.SyncDir(filepath.Dir(path)); err != nil {
			return fail(err)
		}
	}
	return r.Attrs(), nil
}

// checkTarget refuses a path that a file must not replace: a directory, or a device
// such as /dev/null. It also refuses a path that no file can have.
func checkTarget(path string) *Error {
	if e := checkDir(filepath.Dir(path)); e != nil {
		return e
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().IsRegular() || info.Mode()&os.ModeSymlink != 0 {
		return nil // creating the file tells any other error
	}
	return invalid("path", "must name a regular file, or not exist")
}

// checkDir refuses a path that is not a directory.
func checkDir(dir string) *Error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Code: InvalidArgument, Err: fmt.Errorf("path must be in a directory that exists: %w", err), Hint: "create the directory first"}
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		return invalid("path", fmt.Sprintf("must be in a directory that exists: %q is not one", dir))
	}
	return nil // creating the file tells any other error
}

// createBeside creates a temporary file in the directory of path, so that the rename
// stays on one file system.
func createBeside(path string) (*os.File, error) {
	mode := os.FileMode(0o666) // less the umask
	info, err := os.Lstat(path)
	replaces := err == nil && info.Mode().IsRegular()
	if replaces {
		mode = info.Mode().Perm()
	}
	name := filepath.Join(filepath.Dir(path), ".omnibucket-"+rand.Text())
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return nil, &fs.PathError{Op: failed.Op, Path: filepath.Dir(path), Err: failed.Err} // the temporary name would tell nobody anything
	}
	if err != nil || !replaces {
		return file, err
	}
	if made, err := file.Stat(); err == nil && made.Mode().Perm() == mode {
		return file, nil // some file systems refuse Chmod
	}
	if err := file.Chmod(mode); err != nil { // restores what the umask removed
		_ = file.Close()
		_ = os.Remove(name)
		return nil, err
	}
	return file, nil
}

// writeFile writes the whole reader to file. Parallel ranges are written in place.
func (r *Reader) writeFile(file *os.File) error {
	if r.d.ranges != nil {
		return r.d.writeRanges(file)
	}
	_, err := r.WriteTo(file)
	return err
}

// writeRanges fetches parallel ranges, each to its place in the file. The checksum of
// the whole is joined from those of the ranges.
func (d *download) writeRanges(file io.WriterAt) error {
	f := newRangeFetcher(d, d.ranges.from, d.ranges.end)
	defer f.cancel()
	if !d.ranges.startInPlace(f) {
		return errClosed
	}
	concurrency := min(int64(d.req.set.concurrency), maxRanges)
	sink := &fileSink{d: d, file: file, slots: make(chan struct{}, concurrency), cancel: f.cancel}
	if first, err := sink.next(f.ctx, d.offset, d.stream.left); err == nil {
		f.start(&d.stream, first)
	}
	f.run(sink, min(max((f.end-f.from)/concurrency+1, maxRangeBytes), maxInPlacePart))
	f.group.Wait()
	return sink.result()
}

// A fileSink writes each range to its place in a file.
type fileSink struct {
	d      *download
	file   io.WriterAt
	slots  chan struct{}
	cancel context.CancelFunc
	ranges []*fileRange // in order
}

// A fileRange is a range that is written to a file.
type fileRange struct {
	sink   *fileSink
	at     int64 // offset in the file of the next byte
	length int64
	chunk  *[copyBytes]byte
	crc    uint32
	failed error
}

func (s *fileSink) next(ctx context.Context, off, length int64) (rangeWriter, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r := &fileRange{sink: s, at: off - s.d.offset, length: length, chunk: copyPool.Get().(*[copyBytes]byte)}
	s.ranges = append(s.ranges, r)
	return r, nil
}

func (r *fileRange) space(_ context.Context, limit int64) ([]byte, error) {
	return r.chunk[:min(copyBytes, limit)], nil
}

func (r *fileRange) filled(p []byte) error {
	if r.sink.d.hashing {
		r.crc = crc32c.Update(r.crc, p)
	}
	if _, err := r.sink.file.WriteAt(p, r.at); err != nil {
		return err
	}
	r.at += int64(len(p))
	r.sink.d.count(int64(len(p)))
	return nil
}

func (r *fileRange) end(err error) {
	copyPool.Put(r.chunk)
	if e, own := err.(*Error); own {
		err = r.sink.d.fail(e)
	}
	if r.failed = err; err != nil {
		r.sink.cancel()
	}
	<-r.sink.slots
}

// result returns the first failure, or checks the checksum of the whole.
func (s *fileSink) result() error {
	d := s.d
	var first error
	for _, r := range s.ranges {
		if r.failed != nil && (first == nil || CodeOf(first) == Canceled) {
			first = r.failed // the ranges that it has interrupted say Canceled
		}
		d.crc = crc32c.Join(d.crc, r.crc, r.length)
		d.left -= r.length
	}
	if first == nil && d.left > 0 {
		first = d.fail(asError(d.ctx, d.ctx.Err()))
	}
	if first == nil {
		first = d.finish()
	}
	if first == io.EOF {
		return nil
	}
	return first
}
