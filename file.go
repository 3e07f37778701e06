package storage

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/panics"
)

// UploadFile uploads a file at full speed: in place, parts in parallel, no part
// in memory. A file that cannot be read is BodyFailed.
func UploadFile(ctx context.Context, b Uploader, key, path string, opts ...UploadOption) (*Attrs, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, located(b, "UploadFile", key, bodyFailed(err))
	}
	defer func() { _ = file.Close() }()
	return b.Upload(ctx, key, file, opts...)
}

// DownloadFile downloads to a file at full speed: with WithConcurrency above 1
// in parallel ranges, which are written in place, none in memory. The file
// appears whole or not at all, and replaces what is there: of a file it keeps
// the mode, a symbolic link it does not follow. Where there is anything else, a
// directory or a device, is InvalidArgument; so is a path in a directory that does
// not exist, which also matches fs.ErrNotExist. A file that cannot be written is
// Internal, and errors.As reaches the *fs.PathError. What the object's checksum
// refuses never appears.
//
// The file, and its name, are on the disk before DownloadFile returns: after a
// power failure there is the old file or the new one, whole. [WithNoSync] leaves
// that out. If an error comes after the file has its name, it may be there.
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
	if err := r.fill(file); err != nil {
		var own *Error
		if errors.As(err, &own) {
			return nil, err
		}
		return fail(err)
	}
	sync := !r.d.req.set.noSync
	if sync { // before the rename: else the name may outlive a power failure, and the bytes not
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

// checkTarget refuses what a file would replace for good: a directory, or a device
// such as /dev/null. It also refuses a path that no file can have.
func checkTarget(path string) *Error {
	if e := checkDir(filepath.Dir(path)); e != nil {
		return e
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().IsRegular() || info.Mode()&os.ModeSymlink != 0 {
		return nil // what else is wrong, making the file tells
	}
	return invalid("path", "must be a file's, or one where nothing is yet")
}

// checkDir refuses what is no directory.
func checkDir(dir string) *Error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Error{Code: InvalidArgument, Err: fmt.Errorf("path must be in a directory that exists: %w", err), Hint: "make the directory first"}
	case errors.Is(err, syscall.ENOTDIR), err == nil && !info.IsDir():
		return invalid("path", fmt.Sprintf("must be in a directory that exists: %q is not one", dir))
	}
	return nil // what else is wrong, making the file tells
}

// createBeside makes the temporary file in the target's directory, so that the
// rename stays on one file system.
func createBeside(path string) (*os.File, error) {
	mode := os.FileMode(0o666) // less the umask
	info, err := os.Lstat(path)
	replaces := err == nil && info.Mode().IsRegular()
	if replaces {
		mode = info.Mode().Perm()
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	name := filepath.Join(filepath.Dir(path), ".omnibucket-"+hex.EncodeToString(random[:]))
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return nil, &fs.PathError{Op: failed.Op, Path: filepath.Dir(path), Err: failed.Err} // the temporary name tells nobody anything
	}
	if err != nil || !replaces {
		return file, err
	}
	if made, err := file.Stat(); err == nil && made.Mode().Perm() == mode {
		return file, nil // some file systems refuse to be told
	}
	if err := file.Chmod(mode); err != nil { // what the umask took
		_ = file.Close()
		_ = os.Remove(name)
		return nil, err
	}
	return file, nil
}

// fill writes the whole reader to file, its ranges in place where they come in
// parallel.
func (r *Reader) fill(file *os.File) error {
	if r.d.ranges != nil {
		return r.d.writeAt(file)
	}
	_, err := r.WriteTo(file)
	return err
}

// writeAt fetches the ranges in parallel, each to its place in the file. The
// checksum of the whole is joined from those of the ranges.
func (d *download) writeAt(file io.WriterAt) error {
	g := d.ranges
	g.starting.Do(func() { close(g.queue) }) // nothing goes through buffers
	type piece struct {
		off, length int64
		crc         uint32
		err         error
	}
	base := g.from - d.stream.left // what offset 0 of the file is
	pieces := []piece{{off: base, length: d.stream.left}}
	each := min(max((g.end-g.from)/int64(d.req.set.concurrency)+1, maxRangeBytes), maxInPlacePart)
	for off := g.from; off < g.end; off += each {
		pieces = append(pieces, piece{off: off, length: min(each, g.end-off)})
	}
	var group panics.Group
	slots := make(chan struct{}, min(len(pieces), int(d.req.set.concurrency)))
	for i := range pieces {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			p := &pieces[i]
			from := &d.stream
			if i > 0 {
				req := d.req
				from = &stream{d: d, ctx: g.ctx, req: &req}
				from.pin(d.revision, p.off, p.length)
			}
			if p.crc, p.err = d.writePiece(from, file, p.off-base); p.err != nil {
				g.cancel()
			}
		}, g.cancel)
	}
	group.Wait()
	var first error
	for _, p := range pieces {
		if p.err != nil && (first == nil || CodeOf(first) == Canceled) {
			first = p.err // those that were cut off because of it say Canceled
		}
		d.crc = joinCRC(d.crc, p.crc, p.length)
		d.left -= p.length
	}
	if first != nil {
		return first
	}
	if err := d.finish(); err != io.EOF {
		return err
	}
	return nil
}

// writePiece is one range, from its stream to its place.
func (d *download) writePiece(from *stream, file io.WriterAt, at int64) (crc uint32, err error) {
	defer from.close()
	chunk := copyPool.Get().(*[copyBytes]byte)
	defer copyPool.Put(chunk)
	for from.left > 0 {
		n, e := from.read(chunk[:])
		if e != nil {
			return crc, d.fail(e)
		}
		if d.hashing {
			crc = updateCRC(crc, chunk[:n])
		}
		if _, err := file.WriteAt(chunk[:n], at); err != nil {
			return crc, err
		}
		at += int64(n)
		d.moved(int64(n))
	}
	return crc, nil
}
